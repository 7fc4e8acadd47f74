"""What scripts/conform adds to schemathesis: keys that are new each time, a check of refusals."""

import uuid

import schemathesis
from schemathesis import Case, CheckContext, Response

# What a schema says of itself. A body that fits the document is never refused for one of these; it
# may be for a rule that no schema can say, such as a day that comes before another.
OF_THE_SCHEMA = {
    "REQUIRED", "UNKNOWN_FIELD", "WRONG_TYPE", "NOT_LISTED", "OUT_OF_RANGE", "WRONG_COUNT",
    "TOO_SHORT", "TOO_LONG", "EMPTY", "CONTROL_CHARACTER", "MALFORMED",
}

# Rules that bear one of those names all the same, each with its reason.
RULES = {
    # Bytes of UTF-8, where a schema counts characters.
    ("password", "TOO_SHORT"), ("password", "TOO_LONG"),
    ("external_url", "TOO_LONG"), ("thumbnail", "TOO_LONG"),
    # Its last digit is computed from the others.
    ("business_number", "MALFORMED"),
    # Nothing but blanks.
    ("title", "EMPTY"), ("nickname", "EMPTY"),
}


@schemathesis.hook
def before_call(context, case: Case, kwargs) -> None:
    """The same key for two requests would be refused, rightly."""
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    meta = case.meta
    if key and meta is not None and meta.generation.mode.is_positive:
        case.headers["Idempotency-Key"] = f"{uuid.uuid4()}"


@schemathesis.check
def refused_beyond_the_schema(ctx: CheckContext, response: Response, case: Case) -> None:
    """A request that fits the document is refused only for what the document cannot say."""
    meta = case.meta
    if response.status_code != 422 or meta is None or not meta.generation.mode.is_positive:
        return
    # A step that follows from another takes its identifier from that one's answer, where it may be
    # null; schemathesis then writes the word into the path and still calls the request good.
    if any(str(value) == "None" for value in (case.path_parameters or {}).values()):
        return
    faults = {(f["field"], f["code"]) for f in response.json().get("errors", [])}
    wrong = {fault for fault in faults if fault[1] in OF_THE_SCHEMA} - RULES
    assert not wrong, f"it fits the document and was refused for {sorted(wrong)}"
    assert faults, "it was refused and no field is to blame"
