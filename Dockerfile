# freshet alone: no shell, no package, no user but its own. For publishing what
# another image has built, and for running an edge.
#
#   docker build -t freshet .
#   docker run --rm -v "$PWD":/site -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY -e AWS_SESSION_TOKEN \
#     freshet deploy --target production --revision "$(git rev-parse HEAD)@$(git show -s --format=%ct HEAD)"
#   docker run --rm -p 8080:8080 freshet edge --listen 0.0.0.0:8080 --origin https://www.example.org
#
# There is no git in it to ask for the commit, hence --revision; and no shell, so
# build: in freshet.yaml is for elsewhere.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/freshet ./cmd/freshet && mkdir /out/tmp /out/site

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /out/freshet /bin/freshet
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/site /site
USER 65532:65532
ENV HOME=/tmp PATH=/bin
WORKDIR /site
ENTRYPOINT ["/bin/freshet"]
CMD ["--help"]
