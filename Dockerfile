# The app and its worker in one container. Not a medical device; put a proxy with authentication before it.
FROM python:3.11-slim

RUN useradd --uid 10001 --create-home covaudit
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app.py ./
COPY pages pages
COPY covaudit covaudit
COPY models models
COPY .streamlit .streamlit
RUN mkdir /data && chown covaudit /data
USER covaudit
ENV COVAUDIT_WORKSPACE=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s \
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"
CMD ["streamlit", "run", "app.py", "--server.address", "0.0.0.0"]
