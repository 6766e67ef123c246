# The service in a container. Its configuration is /etc/model-monitor/monitor.yaml, with `state: /var/lib/model-monitor`:
#
#   docker build --tag model-monitor .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#       --volume "$PWD/monitor.yaml:/etc/model-monitor/monitor.yaml:ro" --volume state:/var/lib/model-monitor model-monitor
#
# Other commands take its place, as in `docker run ... model-monitor check`.

# The Python that the tests run on. Every wheel has one of the hashes of requirements.lock; nothing is compiled.
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements.lock ./
RUN pip download --quiet --require-hashes --no-deps --only-binary :all: --requirement requirements.lock --dest wheels
COPY pyproject.toml README.md LICENSE ./
COPY monitor monitor
# What is locked for development stays behind: of the wheels, the service takes those that it needs.
RUN pip install --quiet --no-index --find-links wheels --upgrade setuptools \
    && pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir wheels . \
    && python -m venv --without-pip /opt/model-monitor \
    && pip --python /opt/model-monitor/bin/python install --quiet --no-index --find-links wheels "model-monitor[apprise]"

FROM python:3.11.13-slim-bookworm
LABEL org.opencontainers.image.title="model-monitor" \
      org.opencontainers.image.description="Drift and accuracy of models, from Kafka to Prometheus, and a signed retrain request" \
      org.opencontainers.image.licenses="Apache-2.0"
# The root is read-only: bytecode is there already, and what libraries keep in a home goes to /tmp.
ENV PATH="/opt/model-monitor/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
RUN groupadd --gid 10001 monitor \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin monitor \
    && install --directory --owner=10001 --group=10001 /var/lib/model-monitor /run/model-monitor
COPY --from=build /opt/model-monitor /opt/model-monitor
USER 10001:10001
WORKDIR /etc/model-monitor
VOLUME ["/var/lib/model-monitor"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=3); c.request('GET', '/livez'); exit(c.getresponse().status != 200)"]
ENTRYPOINT ["monitor"]
CMD ["run"]
