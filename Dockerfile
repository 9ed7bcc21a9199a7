# hiswatch in an image of its own: non-root, nothing downloaded at run time, logs mounted read-only as a DIRECTORY
# (a single-file mount hides rotation).
FROM debian:12-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3.11 python3.11-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python3.11 -m venv /opt/hiswatch \
    && /opt/hiswatch/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY monitor ./monitor
COPY parsers ./parsers
COPY detectors ./detectors
COPY config ./config
RUN /opt/hiswatch/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && /opt/hiswatch/bin/hiswatch --version

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3.11 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10642 --home-dir /var/lib/hiswatch --shell /usr/sbin/nologin hiswatch \
    && install -d -o hiswatch -g hiswatch -m 0700 /var/lib/hiswatch \
    && install -d -m 0755 /etc/hiswatch /logs
COPY --from=build /opt/hiswatch /opt/hiswatch
ENV PATH=/opt/hiswatch/bin:$PATH PYTHONUNBUFFERED=1
USER hiswatch
VOLUME ["/var/lib/hiswatch"]
# /metrics and /healthz answer on the loopback of the container's network unless the configuration says otherwise.
EXPOSE 8642
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python3.11", "-c", "import sys, urllib.request as u; sys.exit(u.urlopen('http://127.0.0.1:8642/healthz', timeout=4).status != 200)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["hiswatch"]
CMD ["run", "--config", "/etc/hiswatch/hospital.yaml"]
