// What a parcel costs, by weight and zone.
const RATES = { home: 4.9, neighbour: 9.5, far: 24.0 };

/** Return the price of a parcel in euros; parcels above 20 kg are refused. */
export function parcelPrice(kilograms, zone) {
  if (kilograms > 20) {
    throw new RangeError("a parcel weighs at most 20 kg: split it");
  }
  return RATES[zone] * Math.ceil(kilograms / 5);
}
