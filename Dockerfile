# CovAudit: the app and its workers are the same image; `deploy/compose.yaml` says how they play together.
# Research use only, not a medical device. The app asks nobody who they are: a proxy with authentication stands before it.
FROM python:3.11-slim

RUN useradd --uid 10001 --no-create-home covaudit \
    && mkdir /data && chown covaudit:covaudit /data
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app.py LICENSE ./
COPY .streamlit .streamlit
COPY models models
COPY covaudit covaudit
COPY pages pages
RUN python -m compileall -q app.py covaudit models pages

USER covaudit
# Everything is written below /data: the root of the container may be read-only.
ENV COVAUDIT_WORKSPACE=/data HOME=/data/home XDG_CACHE_HOME=/data/cache PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address", "0.0.0.0"]
