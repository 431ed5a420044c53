"""The OpenAPI document of the interface (6.5), in the words in which the simulator answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .codes import Code

if TYPE_CHECKING:
    from .rules import Rules

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TRANSACTION: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
_DAY: Schema = {"type": "string", "pattern": r"^[0-9]{2}\. [0-9]{2}\. [0-9]{4}$"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_URL: Schema = {"type": "string", "minLength": 1, "maxLength": 1000, "description": "http ali https"}


def document(root: str, rules: Rules) -> Schema:
    """The whole document; `root` is where the simulator is reached."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "UJP e-plačila (simulator)",
            "version": "1",
            "description": _authentication(),
        },
        "servers": [{"url": root}],
        "security": [{"podpis": []}],
        "paths": {f"/api/v1/{{apiKey}}{path}": item for path, item in _paths().items()},
        "components": {
            "securitySchemes": {"podpis": {"type": "http", "scheme": "basic"}},
            "schemas": _schemas(rules),
        },
    }


def _authentication() -> str:
    codes = "\n".join(f"- {code.value}: {code.text}" for code in Code)
    return (
        "Osnovna avtentikacija: uporabniško ime je `{apiKey}.{nonce}.{timestamp}`, geslo je SHA-256 v "
        "šestnajstiškem zapisu nad `{uporabniško ime}{deljena skrivnost}{URL zahtevka}{ids}`.\n\n"
        f"Kode napak:\n\n{codes}\n"
    )


def _paths() -> dict[str, Schema]:
    init = _operation("Inicializacija plačila", "Opened")
    init["requestBody"] = {"required": True, "content": _json("Order")}
    del init["parameters"]
    transaction = _in_path("transactionId", _TRANSACTION)
    kind = {"type": "string", "enum": ["xml", "pdf"]}
    file_kind = {"type": "string", "enum": ["xml", "json"]}
    number = _in_path("maticnaSt", {"type": "string", "pattern": "^[0-9]{10}$"})
    period = [
        _in_query("datumOd", {"type": "integer"}, required=True),
        _in_query("datumDo", {"type": "integer"}, required=True),
        _in_query("izbraniStatusi", _TEXT),
        _in_query("zakasnjenaPlacila", {"type": "boolean"}),
    ]
    return {
        "/health": _get("Status sistema", "Health"),
        "/transaction/transaction/init": _item(post=init),
        "/transaction/init": _item(post=init),
        "/transaction/status/{transactionId}": _get("Status plačila", "Status", transaction),
        "/transaction/statusbynarocilo/{idNarocila}": _get(
            "Status plačila po naročilu", "Status", _in_path("idNarocila", {"type": "string", "minLength": 1})
        ),
        "/racun/{racunTip}/{transactionId}": _get(
            "Izdani račun", "Receipt", _in_path("racunTip", kind), transaction
        ),
        "/izpiski/{maticnaSt}": _get("Izpisek", "Statement", number, *period),
        "/izpiskidata/{izpisekType}/{maticnaSt}": _get(
            "Izpisek kot datoteka",
            "StatementFile",
            _in_path("izpisekType", file_kind),
            number,
            *period,
            _in_query("ns", {"type": "boolean"}),
        ),
    }


def _get(summary: str, answer: str, *parameters: Schema) -> Schema:
    return _item(get=_operation(summary, answer, *parameters))


def _item(**operations: Schema) -> Schema:
    return {"parameters": [_in_path("apiKey", _TEXT)], **operations}


def _operation(summary: str, answer: str, *parameters: Schema) -> Schema:
    refusals = {
        "401": "Avtentikacija ni uspela",
        "403": Code.FORBIDDEN.text.rstrip("."),
        "404": Code.NOT_FOUND.text.rstrip("."),
    }
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            "200": {"description": "Uspeh", "content": _json(answer)},
            "400": {"description": "Zahtevek ni veljaven", "content": _json("Invalid")},
            **{
                status: {"description": text, "content": _json("Failed")} for status, text in refusals.items()
            },
            "500": {"description": "Nepredvidena napaka", "content": _json("Failed")},
        },
    }


def _in_path(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _json(name: str) -> Schema:
    return {"application/json": {"schema": _of(name)}}


def _of(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Schema) -> Schema:
    """Exactly these properties, all of them there."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _schemas(rules: Rules) -> dict[str, Schema]:
    in_words = rules.numbers == "string"
    integer: Schema = {"type": "string" if in_words else "integer"}
    number: Schema = {"type": "string" if in_words else "number"}
    return {
        **_requests(),
        **_answers(rules, integer, number),
        **_statement(rules, integer, number),
        "Auth": _object(
            nonce=_TEXT, timestamp=_MOMENT if rules.like == "samples" else integer, signature=_BASE64
        ),
        "Failed": _object(
            traceId=_TEXT,
            errorId=_TEXT,
            source=_TEXT,
            errorCode=_TEXT,
            statusCode=_TEXT,
            messages={"type": "array", "items": _TEXT},
        ),
        "Invalid": _object(
            traceId=_TEXT,
            errorCode={"const": "-99"},
            validationErrors={
                "type": "array",
                "minItems": 1,
                "items": _object(identifier=_TEXT, message=_TEXT, errorCode=_TEXT),
            },
        ),
    }


def _requests() -> dict[str, Schema]:
    text_or_number: Schema = {"type": ["string", "number"]}
    optional: Schema = {"type": ["string", "null"]}
    names = ("sifraKupca", "idDrzavljana", "idZaDdv", "naziv", "naslov", "kraj", "posta", "eposta")
    texts = ("sifraArtikla", "podracun", "konto", "sklicPostavke", "opis")
    item: Schema = dict.fromkeys(texts, optional)
    item |= {
        "kolicina": text_or_number,
        "cena": text_or_number,
        "odstotekDdv": {"type": ["string", "number", "null"]},
        "imaProvizijo": {"type": ["boolean", "null"]},
    }
    buyer: Schema = dict.fromkeys(names, optional)
    buyer |= {"poslano": {"type": ["boolean", "null"]}, "drzava": optional}
    order: Schema = {
        "ids": {"type": ["integer", "string"]},
        "id": {"type": "string", "minLength": 1, "maxLength": 300},
        "idn": optional,
        "urlpar": optional,
        "successUrl": _URL,
        "failureUrl": _URL,
        "callbackUrl": _URL,
        "racun": {"type": ["string", "integer", "null"]},
        "tipRacuna": {"type": ["string", "integer", "null"]},
        "maticna": {"type": "string", "minLength": 10, "maxLength": 10},
        "isoValuta": {"enum": ["EUR", None]},
        "opisPlacila": {"type": ["string", "null"], "maxLength": 35},
        "opisDDV": optional,
        "referenca": optional,
        "racunDobro": optional,
        "sklicDobro": {"type": ["string", "null"], "maxLength": 26},
        "postavka": {"type": "array", "minItems": 1, "items": _of("Item")},
        "kupec": _or_null(_of("Buyer")),
        "languageId": {"enum": ["sl", "en", "it", "hu", None]},
    }
    required = ["ids", "id", "successUrl", "failureUrl", "callbackUrl", "maticna", "postavka"]
    return {
        "Order": {"type": "object", "properties": order, "required": required},
        "Item": {"type": "object", "properties": item, "required": ["kolicina", "cena"]},
        "Buyer": {"type": "object", "properties": buyer},
    }


def _answers(rules: Rules, integer: Schema, number: Schema) -> dict[str, Schema]:
    auth = _of("Auth")
    status: Schema = {
        "transactionId": _TRANSACTION,
        "ids": integer,
        "id": _TEXT,
        "status": integer,
        "eid": _or_null(_TEXT),
        "extId": _or_null(_TEXT),
        "davcnaps": _TEXT,
        "znesek": number,
        "valuta": {"const": "EUR"},
        "stevilkaRacuna": _or_null(_TEXT),
        "casPlacila": _or_null(_MOMENT),
        "urlPar" if rules.like == "samples" else "urlpar": _TEXT,
        "znesekStornacij": _or_null(number),
        "casZadnjeStornacije": _or_null(_MOMENT),
        "opomba": _or_null(_TEXT),
        "epsid": _TEXT,
        "nacinPlacila": _or_null(_TEXT),
        "auth": auth,
    }
    return {
        "Health": _object(status=integer, zadnjePlacilo=_or_null(_MOMENT), auth=auth),
        "Opened": _object(
            transactionId=_TRANSACTION, id=_TEXT, ids=integer, status=integer, responseUrl=_TEXT, auth=auth
        ),
        "Status": _object(**status),
        "Receipt": _object(stevilkaRacuna=_TEXT, racun=_BASE64, auth=auth),
        "Statement": _object(izpisek=_of("Izpisek"), auth=auth),
        "StatementFile": _object(izpisek=_BASE64, auth=auth),
    }


def _statement(rules: Rules, integer: Schema, number: Schema) -> dict[str, Schema]:
    optional = _or_null(_TEXT)
    texts = ("sifraArtikla", "podracun", "konto", "sklicPostavke", "opis")
    item = _object(
        **dict.fromkeys(texts, optional), kolicina=number, cena=number, odstotekDdv=_or_null(number)
    )
    receipt = _object(
        stevilkaRacuna=_TEXT,
        datumRacuna=_MOMENT,
        datumOpravljeneStoritve=_MOMENT,
        postavka={"type": "array", "items": item},
        kupec=_or_null(_of("Buyer")),
    )
    payment = _object(
        id=_TEXT,
        idEplacil=_TRANSACTION,
        idStoritve=_TEXT,
        ponudnik=_TEXT,
        referenca=_TEXT,
        rezultat=integer,
        znesek=number,
        davcnaStPlacilniServis=_TEXT,
        datumPlacila=_or_null(_MOMENT),
        datumNakazila={"type": "null"},
        sklicNakazila=_TEXT,
        nacinPlacila=optional,
        namen=_TEXT,
        reklamacijska=_TEXT,
        urlpar=_TEXT,
        racun=_or_null(receipt),
    )
    if rules.reversals_in_statements:
        payment["properties"] |= {"znesekStornacij": number, "casZadnjeStornacije": _MOMENT}
    whole = _object(stevilka=integer, na=_DAY, od=_DAY, do=_DAY, placilo={"type": "array", "items": payment})
    return {"Izpisek": whole}
