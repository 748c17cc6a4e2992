# The image of a node. Nothing is listened on but loopback until it is told otherwise: give it a file (`DUNLIN_CONFIG`) or variables.
#
#   docker build -t dunlin .
#   docker run --read-only -p 1883:1883 -v dunlin:/var/lib/dunlin -e 'DUNLIN_LISTENERS=tcp://0.0.0.0:1883?allowAnonymous=true' dunlin

# The manifests alone: as long as they stay the same, the layers with packages from npm do.
FROM node:26-bookworm-slim AS manifests
WORKDIR /dunlin
COPY package.json package-lock.json .npmrc ./
COPY packages packages
COPY loadtest loadtest
RUN find packages loadtest -type f ! -name package.json -delete
RUN find packages loadtest -type d -empty -delete

FROM node:26-bookworm-slim AS build
WORKDIR /dunlin
COPY --from=manifests /dunlin ./
RUN npm ci --ignore-scripts --include-workspace-root --workspace @dunlin/cli --workspace @dunlin/dashboard
COPY tsconfig.base.json ./
COPY packages packages
RUN npx tsc -b packages/cli
RUN npm run build --workspace @dunlin/dashboard
# The page is in its dist. The Lua scripts stay in their src folders.
RUN find packages -type f \( -name "*.ts" -o -name "*.tsx" -o -path "packages/dashboard/src/*" -o -name "*.map" -o -name "*.tsbuildinfo" -o -name tsconfig.json -o -name turbo.json \) -delete
RUN find packages -type d -empty -delete
RUN mkdir data

FROM node:26-bookworm-slim AS production
WORKDIR /dunlin
COPY --from=manifests /dunlin ./
RUN npm ci --ignore-scripts --omit=dev --workspace @dunlin/cli

FROM node:26-bookworm-slim
LABEL org.opencontainers.image.title="Dunlin" \
      org.opencontainers.image.description="A clustered MQTT 3.1, 3.1.1 and 5.0 broker" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
# For the health check. Loopback: from outside it is asked for with another address, such as 0.0.0.0:9883.
ENV DUNLIN_ADMIN_ADDRESS=127.0.0.1:9883
WORKDIR /dunlin
COPY package.json LICENSE ./
COPY --from=production /dunlin/node_modules node_modules
COPY --from=build /dunlin/packages packages
# The only place that is written to, and only by a node with the embedded store: `store.path` is ./data unless configured.
COPY --from=build --chown=1000:1000 /dunlin/data /var/lib/dunlin
WORKDIR /var/lib/dunlin
VOLUME /var/lib/dunlin
# As a number, so that Kubernetes sees that it is not root: the user `node` of the image.
USER 1000:1000
EXPOSE 1883 8883 8083 8084 9883
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.DUNLIN_ADMIN_ADDRESS.split(':').pop()}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# No shell between the node and its signals: it is process 1, and drains at SIGTERM.
ENTRYPOINT ["node", "/dunlin/packages/cli/bin/dunlin.js"]
CMD ["start"]
