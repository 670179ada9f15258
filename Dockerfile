# The operator's image: the interpreter, what it loads, the packages of requirements.txt, the operator. Nothing else: no
# shell, no package manager, no compiler. Plain syntax: docker build, podman build and buildah bud all take it.
#
#   docker build -t neo4j-dr-operator:0.1.0 .
#
# BASE is any Debian-like image that has python3 (3.11 or newer) with venv. None of its files but those that the
# interpreter needs reach the image.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# Behind a proxy with its own certificate, mount the bundle and name it; PIP_INDEX_URL for a mirror. Neither is kept.
ARG PIP_CERT
ARG PIP_INDEX_URL
ENV PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements.txt ./
# Wheels only: nothing that is downloaded runs before its hash was compared.
RUN python3 -m venv pip \
 && python3 -m venv --without-pip /opt/operator \
 && pip/bin/pip --python /opt/operator/bin/python3 install -q --require-hashes --only-binary=:all: --no-compile \
    -r requirements.txt
COPY deploy/image/rootfs.py LICENSE ./
COPY neo4j_dr_operator package/neo4j_dr_operator
RUN python3 rootfs.py --prefix /opt/operator --package package/neo4j_dr_operator --license LICENSE /rootfs

FROM scratch
ARG VERSION=0.1.0
ARG REVISION
LABEL org.opencontainers.image.title="neo4j-dr-operator" \
      org.opencontainers.image.description="Cross-region disaster recovery for Neo4j 5.26 on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /rootfs /
ENV PATH=/opt/operator/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONSAFEPATH=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# A number, so that runAsNonRoot can be checked without a user database.
USER 65532:65532
WORKDIR /
EXPOSE 8080 8081
ENTRYPOINT ["neo4j-dr-operator"]
CMD ["run"]
