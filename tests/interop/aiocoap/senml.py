"""Values of single resources as text, CBOR and SenML (RFC 8428), as far as a device needs them."""

import json
import time

import cbor2

TEXT, CBOR, SENML_JSON, SENML_CBOR = 0, 60, 110, 112
BASE_TIME, NAME, VALUE, STRING_VALUE = -3, 0, 2, 3


class NotAcceptable(Exception):
    """The format that was asked for is not one of these."""


def encode_resource(path, value, accept):
    """Returns the content format and the payload that answer a read of one resource."""
    content_format = TEXT if accept is None else int(accept)
    if content_format == TEXT:
        return TEXT, str(value).encode()
    if content_format == CBOR:
        return CBOR, cbor2.dumps(value)
    if content_format == SENML_JSON:
        return SENML_JSON, _json([_json_record(path, value)])
    if content_format == SENML_CBOR:
        return SENML_CBOR, cbor2.dumps([_cbor_record(path, value)])
    raise NotAcceptable


def encode_pack(values, name):
    """Returns the content format and the payload of a Send; `name` is `json` or `cbor`."""
    if name == "json":
        records = [_json_record(path, value) for path, value in values.items()]
        records[0] = {"bt": time.time(), **records[0]}
        return SENML_JSON, _json(records)
    if name == "cbor":
        records = [_cbor_record(path, value) for path, value in values.items()]
        records[0] = {BASE_TIME: time.time(), **records[0]}
        return SENML_CBOR, cbor2.dumps(records)
    raise ValueError(f"unknown format {name}; known: json cbor")


def _json(records):
    return json.dumps(records, separators=(",", ":")).encode()


def _json_record(path, value):
    return {"n": path, "vs" if isinstance(value, str) else "v": value}


def _cbor_record(path, value):
    return {NAME: path, STRING_VALUE if isinstance(value, str) else VALUE: value}
