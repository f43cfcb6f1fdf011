# SPDX-License-Identifier: Apache-2.0
"""The Backplane checks requests in JSON by the schema of the verb, and passes those in protobuf on unparsed."""

import base64
import json
import struct
import urllib.error
import urllib.request

import pytest
from fake_backplane import schema
from harness import LONG, module

PATH = "/xyz.block.ftl.v1.VerbService/Call"


def field(name, **type):
    return schema.Field(name=name, type=schema.Type(**type))


def array(**element):
    return schema.Array(element=schema.Type(**element))


@pytest.fixture
def shop(backplane, make_runner):
    """cart.add takes {"items": [stock.Item], "note": String}; stock.Item is {"name": String}. Returns the Runner."""
    runners = [make_runner(verbs={"add": lambda request, context: b"{}", "count": lambda request, context: b"1"}) for _ in "12"]
    for runner in runners:
        runner.register()
    stock = module(name="stock")
    item = schema.Data(name="Item", fields=[field("name", string=schema.String())])
    stock.decls.append(schema.Decl(data=item))
    backplane.wait_live(backplane.deploy(stock))
    items = array(data_ref=schema.DataRef(module="stock", name="Item"))
    request = schema.Data(name="Request", fields=[field("items", array=items), field("note", string=schema.String())])
    ref = schema.DataRef(module="cart", name="Request")
    decls = [schema.Decl(data=request), schema.Decl(verb=schema.Verb(name="add", request=ref, response=ref))]
    cart = schema.Module(name="cart", runtime=schema.ModuleRuntime(language="test"), decls=decls)
    backplane.wait_live(backplane.deploy(cart))
    (host,) = [runner for runner in runners if "cart" in runner.hosts]
    return host


def post(backplane, message, kind="application/json"):
    """Returns the (status, body) of the response."""
    request = urllib.request.Request(backplane.endpoint + PATH, message, {"content-type": kind})
    try:
        with urllib.request.urlopen(request, timeout=LONG) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def message_of(body, verb="add"):
    encoded = base64.b64encode(body).decode()
    return json.dumps({"verb": {"module": "cart", "name": verb}, "body": encoded}).encode()


GOOD = b'{"items":[{"name":"mug"},{"name":"pan"}],"note":""}'
BAD = [
    (b'{"items":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":4}],"note":""}', "request.items[3].name: expected String, got number"),
    (b'{"items":[],"note":null}', "request.note: expected String, got null"),
    (b'{"items":[]}', "request.note: expected String, but it is missing"),
    (b'{"items":[],"note":"","not":1}', 'request: unknown field "not"'),
    (b'{"items":{},"note":""}', "request.items: expected "),
    (b"[]", "request: expected "),
    (b'{"items":[],', "request"),
    (b"", "request"),
]


@pytest.mark.parametrize(("body", "text"), BAD)
def test_an_invalid_request_does_not_reach_its_verb(backplane, shop, body, text):
    status, answer = post(backplane, message_of(body))
    assert status == 400
    error = json.loads(answer)
    assert error["code"] == "invalid_argument" and text in error["message"]
    # gRPC-Web with JSON: the status is in the trailers, behind a flag.
    message = message_of(body)
    status, answer = post(backplane, struct.pack(">BI", 0, len(message)) + message, "application/grpc-web+json")
    assert status == 200 and b"grpc-status: 3\r\n" in answer
    assert shop.calls.empty()


def test_a_valid_request_passes(backplane, shop):
    status, answer = post(backplane, message_of(GOOD))
    assert status == 200
    assert base64.b64decode(json.loads(answer)["body"]) == b"{}"
    assert shop.calls.get(timeout=LONG)


def test_a_request_in_protobuf_is_not_checked(backplane, shop):
    for body, _ in BAD:
        assert backplane.call("cart.add", body).body == b"{}"


def test_the_schema_of_the_active_deployment_is_used(backplane, make_runner, shop):
    """After a replacement the schema of the new deployment is used."""
    assert post(backplane, message_of(GOOD))[0] == 200
    ref = schema.DataRef(module="cart", name="Other")
    other = schema.Data(name="Other", fields=[field("sum", int=schema.Int())])
    decls = [schema.Decl(data=other), schema.Decl(verb=schema.Verb(name="add", request=ref, response=ref))]
    cart = schema.Module(name="cart", runtime=schema.ModuleRuntime(language="test"), decls=decls)
    make_runner(verbs={"add": lambda request, context: b"{}"}).register()
    backplane.wait_live(backplane.deploy(cart))
    assert b'unknown field \\"items\\"' in post(backplane, message_of(GOOD))[1]
    assert post(backplane, message_of(b'{"sum":9007199254740993}'))[0] == 200
