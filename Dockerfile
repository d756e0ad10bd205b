# nfgen in a container, for the processor or for CUDA (docs/install.md):
#
#     docker build -t nfgen .
#     docker build -t nfgen:cuda --build-arg TORCH=cu130 .
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" nfgen generate chairs -n 8 -o out

ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
# Which torch: cpu, or a version of CUDA as uv's --torch-backend names it.
ARG TORCH=cpu
ARG EXTRAS=app,formats,hub
RUN python -m pip install --no-cache-dir uv==0.13.9
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY nfgen nfgen
COPY tokenizers tokenizers
COPY models models
COPY cli cli
RUN uv venv /opt/nfgen \
    && uv pip install --no-cache --compile-bytecode --python /opt/nfgen/bin/python --torch-backend "${TORCH}" ".[${EXTRAS}]"

FROM python:${PYTHON}-slim
COPY --from=build /opt/nfgen /opt/nfgen
# Any user may run it: all may write in its home and in its folder. The NVIDIA runtime reads the last two.
ENV PATH=/opt/nfgen/bin:$PATH HOME=/tmp NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN install --directory --mode 1777 /work
WORKDIR /work
USER 1000:1000
EXPOSE 7860
ENTRYPOINT ["nfgen"]
CMD ["--help"]
