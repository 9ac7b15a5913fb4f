# Build from the root of the repository: docker build -f deploy/api_gateway.Dockerfile .
FROM python:3.11-slim AS libraries
COPY requirements/api_gateway.txt /tmp/requirements.txt
RUN python -m venv /opt/gatestack \
    && /opt/gatestack/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/requirements.txt

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home gatestack \
    && install --directory --owner gatestack --mode 0700 /var/lib/gatestack
COPY --from=libraries /opt/gatestack /opt/gatestack
WORKDIR /app
COPY shared/ shared/
COPY api_gateway/ api_gateway/
ENV PATH=/opt/gatestack/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATESTACK_CONFIG=/etc/gatestack/gatestack.yaml
USER gatestack
VOLUME /var/lib/gatestack
EXPOSE 8080
ENTRYPOINT ["python", "-m", "api_gateway"]
CMD ["--bind", "0.0.0.0:8080"]
