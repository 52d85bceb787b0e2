# One image for every process of ours; docker-compose.yml says which command each one runs.
#
#   docker build --build-arg COMMIT="$(git rev-parse HEAD)" -t mobius-ingest:local .
#
# The base is pinned to a version. To pin its bytes as well, look its digest up once and build with it:
#   docker buildx imagetools inspect python:3.13.7-slim-bookworm
#   docker build --build-arg PYTHON_IMAGE=python:3.13.7-slim-bookworm@sha256:... .
ARG PYTHON_IMAGE=python:3.13.7-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# Only wheels and only known ones: nothing is compiled, and nothing that is not in the lock gets in.
COPY requirements.lock requirements-runtime.lock ./
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install \
      --require-hashes --no-deps --only-binary :all: -r requirements-runtime.lock \
 && awk '/^[a-z]/ { keep = /^setuptools==/ } keep' requirements.lock >build.lock \
 && pip install --require-hashes --no-deps --only-binary :all: -r build.lock

COPY pyproject.toml README.md LICENSE beat_schedule.py celeryconfig.py ./
COPY pipeline pipeline
COPY models models
COPY migrations migrations
COPY tasks tasks
COPY worker worker
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/venv/bin/python install --no-deps --no-index dist/*.whl

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 mobius \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mobius \
 && install -d -o mobius -g mobius /var/lib/mobius
COPY --from=build /opt/venv /opt/venv
# Bytecode was compiled at build time; the root file system is read-only when it runs.
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Python looks for modules where it is started: an empty directory that nobody can write to.
WORKDIR /srv
USER 10001:10001
# Celery's warm shutdown: finish what runs, take nothing new.
STOPSIGNAL SIGTERM
CMD ["mobius", "--help"]

# Last, so that a new commit alone changes no layer.
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="mobius-ingest" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${COMMIT}"
