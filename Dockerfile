# See "In a container" in README.md. Binder builds this file too: it names the user, and starts Jupyter itself.
ARG BASE=python:3.13-slim
FROM ${BASE}

# The CPU build of PyTorch. For an NVIDIA GPU: --build-arg TORCH_INDEX=https://pypi.org/simple
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG NB_USER=student
ARG NB_UID=1000
ENV HOME=/home/${NB_USER} \
    PATH=/opt/venv/bin:${PATH} \
    COURSE_DATA_DIR=/data

# Group 0 may write everywhere below: under any other user id (docker run --user) a process belongs to it.
RUN umask 002 \
    && useradd --uid ${NB_UID} --groups 0 --shell /bin/bash ${NB_USER} \
    && install -d -o ${NB_UID} -g 0 -m 775 ${HOME} ${HOME}/convnet-labs /data \
    && python3 -m venv /opt/venv \
    && pip install --no-cache-dir torch torchvision --index-url ${TORCH_INDEX}

WORKDIR ${HOME}/convnet-labs
COPY --chown=${NB_UID}:0 . .
RUN umask 002 \
    && pip install --no-cache-dir -e . \
    && chmod -R g=u . \
    && echo '{"ServerApp": {"ip": "0.0.0.0", "open_browser": false}}' > /opt/venv/etc/jupyter/jupyter_server_config.json

USER ${NB_UID}
VOLUME /data
EXPOSE 8888
CMD ["course", "lab"]
