# samehand in a container: `docker build --tag samehand .`, with `--build-arg TORCH=cu132` for NVIDIA GPUs.
# The package index's own build, which is for GPUs, is taken with an empty TORCH.
FROM debian:trixie-slim AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*

FROM python AS build
ARG TORCH=cpu
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
WORKDIR /opt/samehand
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN python3 -m venv /uv && /uv/bin/pip install --quiet --constraint requirements.lock uv
# What changes rarely comes first. The lock file names versions; what only tests need stays out.
RUN /uv/bin/uv venv --quiet .venv && /uv/bin/uv pip install --quiet --no-cache --compile-bytecode \
    ${TORCH:+--torch-backend=$TORCH} --constraint requirements.lock \
    --requirement pyproject.toml --extra several --extra s3 setuptools
COPY prefect.yaml prefect.docker.yaml ./
COPY flows flows
COPY tasks tasks
COPY model model
COPY storage storage
RUN /uv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable . \
    && .venv/bin/python -m compileall -q flows tasks model storage

FROM python
RUN useradd --uid 10001 --create-home samehand && install --directory --owner samehand /data
COPY --from=build /opt/samehand /opt/samehand
ENV PATH=/opt/samehand/.venv/bin:$PATH SAMEHAND_HOME=/data
WORKDIR /opt/samehand
USER samehand
VOLUME /data
CMD ["samehand", "--help"]
