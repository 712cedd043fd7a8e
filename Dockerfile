# The server as a container: `docker build -t portico . && docker run -p 8000:8000 -v portico:/data portico`
FROM python:3.13-slim AS build
COPY --from=ghcr.io/astral-sh/uv:latest /uv /usr/local/bin/uv
WORKDIR /app
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
COPY . .
RUN uv sync --locked --no-dev

FROM python:3.13-slim
RUN useradd --system --home-dir /data --create-home portico
COPY --from=build --chown=root:root /app /app
USER portico
WORKDIR /data
ENV PATH=/app/.venv/bin:$PATH PORTICO_DATABASE_URL=sqlite:////data/portico.db
EXPOSE 8000
CMD ["portico", "serve", "--host", "0.0.0.0"]
