"""The stack this product was first drawn up for, as its guides show it: FastAPI, a Redis key for
each visitor and gonggu that lives as long as the dedupe window, and one INSERT for each click that
counts. It looks up no link and judges nothing else, which is generous.

With LEAN=1 the INSERT goes through asyncpg's own pool instead of SQLAlchemy's mapper: the best this
stack can do, so that what is said of it holds for the better case as well."""

import asyncio
import hashlib
import os
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timezone

import asyncpg
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from redis.asyncio import Redis
from sqlalchemy import DateTime, String, Text, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CONNECTIONS = 16
WINDOW_SECONDS = 300
LOCATION = os.environ["LOCATION"]
LEAN = os.environ.get("LEAN") == "1"
INSERT = """
insert into click_trackings (id, gonggu_id, ip_address, user_agent, referer, clicked_at)
values ($1, $2, $3, $4, $5, $6)
"""

database_url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1)
engine = create_async_engine(database_url, pool_size=CONNECTIONS, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
redis = Redis.from_url(os.environ["REDIS_URL"], max_connections=256)


class Base(DeclarativeBase):
    pass


class ClickTracking(Base):
    __tablename__ = "click_trackings"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    gonggu_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID | None]
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(Text)
    referer: Mapped[str | None] = mapped_column(String(1000))
    clicked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


async def open_one() -> None:
    async with engine.connect() as connection:
        await connection.execute(text("select pg_sleep(0.2)"))


@asynccontextmanager
async def lifespan(application: FastAPI):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    # All of the pool now, so that no click pays for a connection.
    if LEAN:
        application.state.pool = await asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS
        )
    else:
        await asyncio.gather(*(open_one() for _ in range(CONNECTIONS)))
    yield
    await engine.dispose()
    await redis.aclose()


app = FastAPI(lifespan=lifespan)


async def record(gonggu_id: uuid.UUID, address: str, agent: str, referer: str | None) -> None:
    now = datetime.now(timezone.utc)
    if LEAN:
        await app.state.pool.execute(INSERT, uuid.uuid4(), gonggu_id, address, agent, referer, now)
        return
    async with sessions() as session:
        session.add(
            ClickTracking(
                gonggu_id=gonggu_id,
                ip_address=address,
                user_agent=agent,
                referer=referer,
                clicked_at=now,
            )
        )
        await session.commit()


@app.get("/go/{gonggu_id}")
async def follow(gonggu_id: uuid.UUID, request: Request) -> RedirectResponse:
    address = request.headers.get("x-forwarded-for") or request.client.host
    agent = request.headers.get("user-agent", "")
    visitor = hashlib.sha256(f"{address}|{agent}".encode()).hexdigest()[:32]
    if await redis.set(f"click:{gonggu_id}:{visitor}", 1, nx=True, ex=WINDOW_SECONDS):
        await record(gonggu_id, address, agent, request.headers.get("referer"))
        await redis.incr(f"gonggu:{gonggu_id}:clicks")
    return RedirectResponse(
        LOCATION, 302, headers={"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
    )
