# The page in a container: not root, all that is written in the volume at DIGITS_HOME, or in the
# database that DIGITS_HOME names; then the volume is this host's cache.
#
#     docker build --tag digits .
#     docker run --publish 127.0.0.1:8501:8501 --volume digits:/var/lib/digits digits
#
# An empty home is filled with the network and the rows shipped. compose.yaml adds a database and the
# nightly run.
FROM python:3.13-slim

WORKDIR /opt/digits
COPY requirements.txt requirements-auth.txt requirements-postgres.txt ./
RUN pip install --no-cache-dir -r requirements.txt -r requirements-auth.txt -r requirements-postgres.txt
COPY .streamlit .streamlit
COPY examples examples
COPY app.py finetuning.py model.h5 num.png train.csv ./
COPY digits digits

RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/digits digits
RUN install --directory --owner digits --group digits --mode 0750 /var/lib/digits
ENV DIGITS_HOME=/var/lib/digits
VOLUME /var/lib/digits
USER 10001

EXPOSE 8501
# The first command tells whether a network can serve, the second whether the server answers.
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s \
    CMD python finetuning.py --health && python -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/_stcore/health', timeout=10)"
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"]
