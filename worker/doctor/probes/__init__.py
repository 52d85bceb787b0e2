"""Look at one thing each, within two seconds or so, and return what was seen: nothing is judged or changed here."""
