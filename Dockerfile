# One static binary and the authorities it trusts; nobody's user, a read-only root, one folder to write to.
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
ENV SEAMWATCH_DATA=/data
STOPSIGNAL SIGTERM
ENTRYPOINT ["/seamwatch"]
CMD ["serve"]
