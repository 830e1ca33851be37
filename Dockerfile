# One image for every target of DotMac Pulse; linux/amd64 and linux/arm64 by `docker buildx build --platform linux/amd64,linux/arm64 .`
# The version is that of the locked Node in package.json; tests compare the two.
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
# Manifests first: a change of sources does not install anew. Those of tests and dashboards are there because the lockfile names them.
COPY package.json package-lock.json ./
COPY analytics/package.json analytics/
COPY billing-rater/package.json billing-rater/
COPY bin/package.json bin/
COPY collectors/package.json collectors/
COPY collectors/sdk/package.json collectors/sdk/
COPY dashboards/package.json dashboards/
COPY ingest/package.json ingest/
COPY orchestrator/package.json orchestrator/
COPY streams/package.json streams/
COPY tests/package.json tests/
COPY web/package.json web/
# What the tests need stays out. The image brings the Node that npm would bring once more.
RUN npm ci --omit=dev --no-audit --no-fund --include-workspace-root \
      -w analytics -w billing-rater -w bin -w collectors -w @dotmac/pulse-sdk -w ingest -w orchestrator -w streams -w web \
 && rm -rf node_modules/node-linux-*
# The portal is built with the settings of the sources.
COPY main.ts tsconfig.json ./
COPY analytics analytics
COPY billing-rater billing-rater
COPY bin bin
COPY collectors collectors
COPY ingest ingest
COPY orchestrator orchestrator
COPY scripts/healthcheck.mjs scripts/
COPY streams streams
COPY web web
# The portal and the compiled code are made here, because the root file system of a container is read-only.
RUN node --input-type=module -e "const { buildPortal } = await import('/app/web/build.ts'); await buildPortal()" \
 && NODE_COMPILE_CACHE=/app/.compile-cache node main.ts --list-modules >/dev/null

FROM node:${NODE_VERSION}-bookworm-slim
LABEL org.opencontainers.image.title="DotMac Pulse" \
      org.opencontainers.image.description="The telemetry-to-money-to-action pipeline of the DotMac SaaS platform"
WORKDIR /app
COPY --from=build /app /app
RUN install -d -o 1000 -g 1000 -m 0700 /var/lib/pulse
# As `npm start`. A bind beyond loopback without certificates is refused until PULSE_TLS says who does TLS.
ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=12 \
    MALLOC_ARENA_MAX=4 \
    NODE_COMPILE_CACHE=/app/.compile-cache \
    PULSE_HOST=0.0.0.0 \
    PULSE_DATA_DIR=/var/lib/pulse \
    PULSE_DEMO=off \
    PULSE_AGENT=off
# A number, so that Kubernetes can tell that it is not root.
USER 1000:1000
VOLUME /var/lib/pulse
EXPOSE 8000 4317 4318
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "scripts/healthcheck.mjs", "/healthz"]
# The process is the container's first: signals reach it, and it drains.
ENTRYPOINT ["node", "--max-semi-space-size=16", "--v8-pool-size=1", "main.ts"]
CMD ["--target=all"]
