# One static binary and the authorities it trusts; nobody's user, a read-only root, one folder to write to.
#
# The network reaches a container, so it starts once there is a user, and a key for those who send.
#
#   docker build -t seamwatch .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -v seamwatch-data:/data -v ./seamwatch.toml:/etc/seamwatch/seamwatch.toml:ro -p 4380:4380 -p 4317-4318:4317-4318 seamwatch
FROM rust:1.95-alpine AS build
RUN apk add --no-cache build-base ca-certificates
WORKDIR /src
COPY . .
# On Alpine a build for musl is static without more ado.
RUN cargo build --release --locked --bin seamwatch && mkdir -m 700 /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/seamwatch /seamwatch
COPY --from=build --chown=65534:65534 /data /data
USER 65534:65534
WORKDIR /etc/seamwatch
VOLUME /data
EXPOSE 4380 4318 4317
ENV SEAMWATCH_DATA=/data SEAMWATCH_WEB=0.0.0.0:4380 SEAMWATCH_OTLP_HTTP=0.0.0.0:4318 SEAMWATCH_OTLP_GRPC=0.0.0.0:4317
STOPSIGNAL SIGTERM
ENTRYPOINT ["/seamwatch"]
CMD ["serve"]
