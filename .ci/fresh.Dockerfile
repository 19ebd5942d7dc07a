# A fresh machine as the README promises that it is enough: Python, make, and nothing else. No git, no
# container engine, and a user who owns nothing but a home folder.
FROM python:3.13-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends make >/dev/null \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home somebody
USER somebody
WORKDIR /home/somebody/testbed
