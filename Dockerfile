FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /tandem
RUN python3 -m venv /venv
COPY requirements-run.txt ./
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements-run.txt

FROM python:3.11-slim-bookworm
COPY --from=build /venv /venv
WORKDIR /tandem
COPY chain chain
COPY consensus consensus
COPY execution execution
COPY storage storage
COPY rpc rpc
COPY node node
ENV PATH=/venv/bin:$PATH PYTHONPATH=/tandem PYTHONUNBUFFERED=1 TANDEM_DATA_DIR=/data
RUN useradd --uid 1000 tandem && mkdir /data && chown tandem /data
USER tandem
VOLUME /data
ENTRYPOINT ["python3", "-m", "node"]
CMD ["up", "--host", "0.0.0.0"]
