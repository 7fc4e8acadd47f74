"""The stack this product was first drawn up for, as its guides show it: FastAPI, SQLAlchemy's mapper
over asyncpg, PyJWT and bcrypt, on the same schema and the same rows. It limits nothing, audits
nothing and remembers no idempotency key, which is generous."""

import asyncio
import hashlib
import os
import secrets
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Annotated, Generic, TypeVar

import bcrypt
import jwt
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator
from sqlalchemy import Column, DateTime, ForeignKey, Numeric, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

CONNECTIONS = 10
SECRET = os.environ["JWT_SECRET_KEY"]
EDGE_URL = "http://127.0.0.1:8080"

database_url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1)
engine = create_async_engine(database_url, pool_size=CONNECTIONS, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


gonggu_categories = Table(
    "gonggu_categories",
    Base.metadata,
    Column("gonggu_id", ForeignKey("gonggus.id"), primary_key=True),
    Column("category_id", ForeignKey("categories.id"), primary_key=True),
)


class User(Base):
    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    password_hash: Mapped[str | None]
    nickname: Mapped[str]
    role: Mapped[str]
    status: Mapped[str]


class RefreshToken(Base):
    __tablename__ = "refresh_tokens"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    family_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    token_hash: Mapped[bytes]


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class ClickTotal(Base):
    __tablename__ = "gonggu_click_totals"

    gonggu_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("gonggus.id"), primary_key=True)
    clicks: Mapped[int]


class Gonggu(Base):
    __tablename__ = "gonggus"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    influencer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    open_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    close_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    suspended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    hidden_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    original_price: Mapped[int]
    gonggu_price: Mapped[int]
    discount_rate: Mapped[float] = mapped_column(Numeric(5, 2), server_default=text("0"))
    short_code: Mapped[str] = mapped_column(server_default=text("make_short_code()"))
    title: Mapped[str]
    description: Mapped[str]
    external_url: Mapped[str]
    thumbnail: Mapped[str | None]

    influencer: Mapped[User] = relationship(lazy="raise")
    categories: Mapped[list[Category]] = relationship(secondary=gonggu_categories, lazy="raise")
    click_total: Mapped[ClickTotal | None] = relationship(lazy="raise", uselist=False)

    @property
    def influencer_nickname(self) -> str:
        return self.influencer.nickname

    @property
    def click_count(self) -> int:
        return self.click_total.clicks if self.click_total else 0

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None

    @property
    def tracking_url(self) -> str:
        return f"{EDGE_URL}/go/{self.short_code}"

    @property
    def status(self) -> str:
        now = datetime.now(timezone.utc)
        return "scheduled" if now < self.open_at else "active" if now < self.close_at else "closed"


LOADED = (
    joinedload(Gonggu.influencer),
    joinedload(Gonggu.click_total),
    selectinload(Gonggu.categories),
)


class CategoryLabel(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str


class GongguResponse(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    influencer_id: uuid.UUID
    influencer_nickname: str
    title: str
    description: str
    original_price: int
    gonggu_price: int
    discount_rate: float
    status: str
    open_at: datetime
    close_at: datetime
    external_url: str
    thumbnail: str | None
    short_code: str
    tracking_url: str
    click_count: int
    is_suspended: bool
    categories: list[CategoryLabel]
    created_at: datetime
    updated_at: datetime


class GongguCreate(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=10_000)] = ""
    original_price: Annotated[int, Field(ge=0)]
    gonggu_price: Annotated[int, Field(ge=0)]
    open_at: datetime
    close_at: datetime
    external_url: HttpUrl
    thumbnail: HttpUrl | None = None
    category_ids: Annotated[list[uuid.UUID], Field(max_length=2)] = []

    @model_validator(mode="after")
    def in_order(self):
        if self.close_at <= self.open_at or self.gonggu_price > self.original_price:
            raise ValueError("closes before it opens, or costs more than before")
        return self


class Sort(str, Enum):
    created_at = "created_at"
    open_at = "open_at"
    close_at = "close_at"
    gonggu_price = "gonggu_price"


class Login(BaseModel):
    email: str
    password: str


class Token(BaseModel):
    access_token: str
    refresh_token: str
    token_type: str = "bearer"
    expires_in: int = 1800


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    items: list[Item]
    total: int
    page: int
    size: int
    pages: int


async def open_one() -> None:
    async with engine.connect() as connection:
        await connection.execute(text("select pg_sleep(0.2)"))


@asynccontextmanager
async def lifespan(application: FastAPI):
    # All of the pool now, so that no request pays for a connection.
    await asyncio.gather(*(open_one() for _ in range(CONNECTIONS)))
    yield
    await engine.dispose()


async def get_session():
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
bearer = HTTPBearer()


async def get_current_influencer(
    session: Session, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]
) -> User:
    try:
        claims = jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"])
        user = await session.get(User, uuid.UUID(claims["sub"]))
    except jwt.InvalidTokenError:
        user = None
    if user is None or user.status != "active":
        raise HTTPException(401)
    if user.role not in ("influencer", "admin"):
        raise HTTPException(403)
    return user


app = FastAPI(lifespan=lifespan)


async def page_of(session: AsyncSession, chosen, order, page: int, size: int) -> Page:
    total = await session.scalar(select(func.count()).select_from(chosen.subquery()))
    rows = await session.scalars(
        chosen.options(*LOADED).order_by(*order).offset((page - 1) * size).limit(size)
    )
    return Page(
        items=rows.all(), total=total, page=page, size=size, pages=(total + size - 1) // size
    )


@app.get("/api/v1/gonggus", response_model=Page[GongguResponse])
async def list_gonggus(
    session: Session,
    page: Annotated[int, Query(ge=1)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
    sort: Sort = Sort.created_at,
    order: str = "desc",
):
    chosen = select(Gonggu).where(Gonggu.hidden_at.is_(None), Gonggu.suspended_at.is_(None))
    column = getattr(Gonggu, sort.value)
    keys = (column.asc(), Gonggu.id) if order == "asc" else (column.desc(), Gonggu.id)
    return await page_of(session, chosen, keys, page, size)


@app.get("/api/v1/gonggus/{gonggu_id}", response_model=GongguResponse)
async def get_gonggu(gonggu_id: uuid.UUID, session: Session):
    gonggu = await session.scalar(
        select(Gonggu)
        .options(*LOADED)
        .where(Gonggu.id == gonggu_id, Gonggu.hidden_at.is_(None))
    )
    if gonggu is None:
        raise HTTPException(404)
    return gonggu


@app.post("/api/v1/gonggus", response_model=GongguResponse, status_code=201)
async def create_gonggu(
    body: GongguCreate,
    session: Session,
    influencer: Annotated[User, Depends(get_current_influencer)],
):
    fields = body.model_dump(exclude={"category_ids", "external_url", "thumbnail"})
    categories = await session.scalars(select(Category).where(Category.id.in_(body.category_ids)))
    gonggu = Gonggu(
        influencer_id=influencer.id,
        external_url=str(body.external_url),
        thumbnail=str(body.thumbnail) if body.thumbnail else None,
        categories=list(categories),
        **fields,
    )
    session.add(gonggu)
    await session.commit()
    return await session.scalar(
        select(Gonggu)
        .options(*LOADED)
        .where(Gonggu.id == gonggu.id)
        .execution_options(populate_existing=True)
    )


@app.post("/api/v1/auth/login", response_model=Token)
async def log_in(body: Login, session: Session):
    user = await session.scalar(select(User).where(func.lower(User.email) == body.email.lower()))
    if user is None or user.password_hash is None:
        raise HTTPException(401)
    if not await run_in_threadpool(
        bcrypt.checkpw, body.password.encode(), user.password_hash.encode()
    ):
        raise HTTPException(401)
    now = datetime.now(timezone.utc)
    refresh = secrets.token_urlsafe(32)
    session.add(
        RefreshToken(
            family_id=uuid.uuid4(),
            user_id=user.id,
            expires_at=now + timedelta(days=7),
            token_hash=hashlib.sha256(refresh.encode()).digest(),
        )
    )
    await session.commit()
    claims = {"sub": str(user.id), "role": user.role, "exp": now + timedelta(minutes=30)}
    return Token(access_token=jwt.encode(claims, SECRET, "HS256"), refresh_token=refresh)


@app.get("/api/v1/search", response_model=Page[GongguResponse])
async def search(
    session: Session,
    q: Annotated[str, Query(min_length=1, max_length=100)],
    page: Annotated[int, Query(ge=1)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
):
    words = func.to_tsvector("simple", Gonggu.title + " " + Gonggu.description)
    chosen = select(Gonggu).where(
        words.op("@@")(func.plainto_tsquery("simple", q)),
        Gonggu.hidden_at.is_(None),
        Gonggu.suspended_at.is_(None),
    )
    return await page_of(session, chosen, (Gonggu.created_at.desc(),), page, size)
