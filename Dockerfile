# simtom serve for those who host it. It listens for everybody, so SIMTOM_TOKEN has to be set.
FROM python:3.11-slim
RUN useradd --create-home simtom
WORKDIR /app
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY simtom_pipeline simtom_pipeline
RUN pip install --no-cache-dir --require-hashes -r requirements.lock && pip install --no-cache-dir --no-deps --no-build-isolation .
USER simtom
ENV SIMTOM_HOME=/home/simtom/.simtom PORT=8000
EXPOSE 8000
HEALTHCHECK CMD python -c "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health')"
CMD ["simtom", "serve", "--host", "0.0.0.0"]
