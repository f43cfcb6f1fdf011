# SPDX-License-Identifier: Apache-2.0
"""Schemas of modules that run together: examples/shop with breaking and with safe changes."""

import json
import os
import re
import shutil
import subprocess
import sys

import grpc
import pytest
from fake_backplane import ftl, schema
from harness import FTL, HERE, LONG, Backplane

SHOP = HERE.parents[1] / "examples" / "shop"
CART = '{"items":[{"sku":"mug","count":2},{"sku":"pan","count":1}]}'


class Shop:
    def __init__(self, folder):
        self.backplane = Backplane(folder / "serve")
        self.backplane.folder.mkdir()
        self.backplane.start()
        self.folder = folder / "shop"
        ignored = shutil.ignore_patterns("*.so", "*.ftl.h", "*.ftl.c")
        shutil.copytree(SHOP, self.folder, ignore=ignored)

    def ftl(self, *arguments):
        environment = {**os.environ, "FTL_ENDPOINT": self.backplane.endpoint, "HOME": str(self.folder)}
        return subprocess.run([FTL, *arguments], cwd=self.folder, env=environment, text=True, capture_output=True, timeout=10 * LONG)

    def done(self, *arguments):
        result = self.ftl(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def failed(self, *arguments, code=1):
        result = self.ftl(*arguments)
        assert result.returncode == code, result.stdout + result.stderr
        return result.stderr

    def change(self, file, old, new):
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    yield shop
    shop.backplane.clean_up()


def test_three_modules_in_two_languages(shop):
    assert shop.done("deploy", "catalog", "cart", "checkout").count(" is live ") == 3
    assert json.loads(shop.done("call", "cart.total", CART)) == {
        "price": {"amount": 1700, "currency": "EUR"},
        "missing": ["pan"],
    }
    order = '{"customer":"Ann","lines":[{"sku":"pot","count":1},{"sku":"pan","count":1}]}'
    assert json.loads(shop.done("call", "checkout.buy", order)) == {"text": "Ann pays 29.00 EUR, without pan"}
    # The calls through stubs are in the schema, and the stubs are typed.
    assert "+calls cart.total" in shop.done("schema", "checkout")
    checkout = shop.folder / "checkout"
    command = [sys.executable, "-m", "mypy", "--strict", "checkout.py", "ftl_modules"]
    checked = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    shop.change("checkout/checkout.py", "count=line.count", "count=line.sku")
    checked = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert 'incompatible type "str"; expected "int"' in checked.stdout


def test_an_invalid_request(shop):
    shop.done("deploy", "catalog", "cart")
    error = shop.failed("call", "cart.total", '{"items":[{"sku":"mug","count":"2"}]}')
    assert error == "error: request.items[0].count: expected Int, got string\n"
    # Without the check of the command line, the verb reports the same error.
    with pytest.raises(grpc.RpcError) as raised:
        shop.backplane.call("cart.total", b'{"items":[{"sku":"mug","count":"2"}]}')
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == "request.items[0].count: expected Int, got string"


def test_a_breaking_change_is_refused(shop):
    shop.done("deploy", "catalog", "cart")
    assert shop.done("schema", "diff", "catalog") == "catalog: the schema is the same\n"
    shop.change("catalog/catalog.ftl", "    sku String\n  }\n\n  // The", "    sku String\n    shop String\n  }\n\n  // The")
    result = shop.ftl("schema", "diff", "catalog")
    assert result.returncode == 3
    assert "FindRequest.shop" in result.stdout and "unsafe for callers" in result.stdout
    assert "breaks: cart.total calls catalog.find: FindRequest.shop" in result.stdout
    planned = shop.ftl("deploy", "--dry-run", "-o", "json", "catalog")
    plan = json.loads(planned.stdout)
    assert planned.returncode == 3 and plan["breaking"] and plan["breaks"] and plan["refused"] and not plan["new"]
    planned = shop.ftl("deploy", "--dry-run", "catalog", "cart")
    assert planned.returncode == 3 and "breaks: cart.total calls catalog.find" in planned.stdout
    assert "error: cart is left undone, as it needs catalog" in planned.stderr
    assert "could not be deployed: catalog" in planned.stderr
    assert "breaks: cart.total calls catalog.find" in shop.done("deploy", "--dry-run", "--allow-breaking", "catalog")
    error = shop.failed("deploy", "catalog")
    assert "cart.total calls catalog.find: FindRequest.shop" in error and "--allow-breaking" in error
    # The refused deployment changed nothing.
    assert json.loads(shop.done("call", "cart.total", CART))["missing"] == ["pan"]


def test_a_dry_run_counts_what_goes_before_as_deployed(shop):
    assert shop.ftl("deploy", "--dry-run", "cart").returncode == 3
    planned = shop.done("deploy", "--dry-run", "cart", "catalog")
    assert "cart: the schema is new" in planned and "missing" not in planned


def test_a_breaking_change_that_is_forced_is_a_typed_error_of_the_caller(shop):
    shop.done("deploy", "catalog", "cart")
    shop.change("catalog/catalog.ftl", "    sku String\n  }\n\n  // The", "    sku String\n    shop String\n  }\n\n  // The")
    shop.done("deploy", "--allow-breaking", "catalog")
    error = shop.failed("call", "cart.total", CART)
    assert "catalog.find: request.shop: expected String, but it is missing" in error
    # The answer no longer has the type that the caller was built for.
    shop.change("catalog/catalog.ftl", "    shop String\n  }\n\n  // The", "  }\n\n  // The")
    shop.change("catalog/catalog.ftl", "    amount Int", "    amount String")
    shop.change("catalog/catalog.c", "{850,", '{"850",')
    shop.change("catalog/catalog.c", "{2900,", '{"2900",')
    shop.done("deploy", "--allow-breaking", "catalog")
    error = shop.failed("call", "cart.total", CART)
    assert "catalog.find: response.price.amount: expected Int, got string" in error


def test_a_safe_change_passes(shop):
    shop.done("deploy", "catalog", "cart")
    shop.change("catalog/catalog.ftl", "    tags [String]\n", "    tags [String]\n    weight Int?\n")
    shop.change("catalog/catalog.c", ".tags = {tags, 2}", ".tags = {tags, 2}, .weight = {true, 300}")
    difference = shop.done("schema", "diff", "catalog")
    assert "Product.weight" in difference and "safe" in difference and "breaks" not in difference
    shop.done("deploy", "catalog")
    assert json.loads(shop.done("call", "catalog.find", '{"sku":"mug"}'))["weight"] == 300
    # The cart still runs with stubs of the catalog before the change.
    assert json.loads(shop.done("call", "cart.total", CART))["price"]["amount"] == 1700


def test_a_type_of_another_module_may_be_replaced_by_one_of_the_same_structure(shop):
    shop.done("deploy", "catalog", "cart", "checkout")
    shop.change("cart/cart.ftl", "catalog.Money", "Sum")
    own = "module cart {\n  export data Sum { amount Int  currency Coin }\n  export enum Coin: String { E = \"EUR\"  D = \"USD\" }\n"
    shop.change("cart/cart.ftl", "module cart {\n", own)
    difference = shop.done("schema", "diff", "--no-build", "cart")
    assert re.search(r"^safe +\S+ was catalog.Money, is now cart.Sum$", difference, re.MULTILINE), difference
    assert "breaks" not in difference and "unsafe" not in difference
    # A currency that callers do not know is no longer the same structure.
    shop.change("cart/cart.ftl", 'D = "USD" }', 'D = "USD"  P = "GBP" }')
    difference = shop.ftl("schema", "diff", "--no-build", "cart")
    assert difference.returncode == 3
    assert "breaks: checkout." in difference.stdout


def test_a_module_names_only_existing_declarations(shop):
    error = shop.failed("deploy", "cart")
    assert 'there is no module "catalog"' in error
    assert "missing: " in shop.ftl("schema", "diff", "--no-build", "cart").stdout
    shop.done("deploy", "catalog")
    shop.change("cart/cart.ftl", "+calls catalog.find", "+calls catalog.fnd")
    error = shop.failed("build", "cart")
    assert re.search(r'^cart/cart.ftl:\d+:\d+: total: module "catalog" has no verb "fnd"$', error, re.MULTILINE)
    assert "+calls catalog.fnd\n" in error and 'hint: did you mean "find"?' in error
    # Without the check of the build, the Backplane refuses the deployment.
    shop.change("cart/ftl.toml", 'generate = "c"\n', "")
    (shop.folder / "cart/cart.so").write_bytes(b"")
    error = shop.failed("deploy", "--no-build", "cart")
    assert 'module "catalog" has no verb "fnd"' in error and '"find"' in error


def test_a_build_is_checked_against_what_is_deployed(shop):
    for name, schema in (("price", "export verb of(Unit) Int"), ("bill", "export verb sum(Unit) Int +calls price.of\n")):
        (shop.folder / name).mkdir()
        (shop.folder / name / "ftl.toml").write_text(f'module = "{name}"\nbuild = "touch built"\n')
        (shop.folder / name / f"{name}.ftl").write_text(f"module {name} {{\n  {schema}\n}}\n")
    # A module that is neither deployed nor built now may be deployed later.
    warned = shop.ftl("build", "bill")
    assert warned.returncode == 0
    assert 'warning: bill/bill.ftl:2:36: there is no module "price"' in warned.stderr
    assert shop.ftl("build", "price", "bill").stderr == ""
    shop.change("bill/bill.ftl", "price.of", "price.off")
    error = shop.failed("build", "price", "bill")
    assert "bill/bill.ftl:2:36: sum: module \"price\" has no verb \"off\"\n" in error and 'did you mean "of"?' in error
    assert "bill/bill.ftl has 1 error" in error
    # The schema of a deployed module is used in the same way; the module need not be running.
    shop.done("deploy", "catalog")
    shop.change("bill/bill.ftl", "price.off", "catalog.list")
    assert 'module "catalog" has no verb "list"' in shop.failed("build", "bill")
    shop.change("bill/bill.ftl", "catalog.list", "catalog.find")
    assert shop.ftl("build", "bill").stderr == ""
    # Without a Backplane only the schema of the module itself is checked.
    shop.change("bill/bill.ftl", "catalog.find", "catalog.list")
    assert shop.ftl("build", "bill", "--endpoint", "http://127.0.0.1:1").returncode == 0
    shop.change("bill/bill.ftl", "Int", "Itn")
    assert "there is no type" in shop.failed("build", "bill", "--endpoint", "http://127.0.0.1:1")


def test_a_call_that_is_not_declared(shop):
    """The call is written by hand, as generated code has no function for an undeclared call."""
    shop.done("deploy", "catalog")
    shop.change("cart/cart.ftl", "\n      +calls catalog.find", "")
    (shop.folder / "cart/cart.c").write_text(
        "#include <ftl/module.h>\n"
        "static int total(struct ftl_context *ftl) {\n"
        '        const char *answer = ftl_call(ftl, "catalog.find", "{}");\n'
        "        return answer ? ftl_reply(ftl, answer) : -1;\n"
        "}\n"
        'FTL_MODULE("cart", {.name = "total", .run = total});\n'
    )
    shop.change("cart/ftl.toml", 'generate = "c"\n', "")
    shop.change("cart/ftl.toml", " cart.ftl.c", "")
    shop.done("deploy", "cart")
    caller = schema.VerbRef(module="cart", name="total")
    answer = shop.backplane.call("catalog.find", b'{"sku":"mug"}')
    assert json.loads(answer.body)["name"] == "A mug"
    error = shop.failed("call", f"{caller.module}.{caller.name}", CART)
    assert "cart.total may not call catalog.find" in error
    assert "add to the verb total: +calls catalog.find" in error


def test_schemas_in_three_forms(shop):
    shop.done("deploy", "catalog")
    text = shop.done("schema", "get", "catalog")
    assert "export verb find(catalog.FindRequest) catalog.Product" in text
    assert shop.done("schema", "catalog") == text
    (one,) = json.loads(shop.done("schema", "get", "catalog", "-o", "json"))
    assert one["name"] == "catalog"
    environment = {**os.environ, "FTL_ENDPOINT": shop.backplane.endpoint}
    packed = subprocess.run([FTL, "schema", "get", "catalog", "-o", "proto"], env=environment, capture_output=True, check=True)
    assert schema.Module.FromString(packed.stdout).name == "catalog"
    packed = subprocess.run([FTL, "schema", "-o", "proto"], env=environment, capture_output=True, check=True)
    assert [each.name for each in ftl.GetSchemaResponse.FromString(packed.stdout).modules] == ["catalog"]
    described = json.loads(shop.done("schema", "openapi"))
    assert described["openapi"].startswith("3.1")
    assert any("catalog.find" in path for path in described["paths"])
    assert shop.failed("schema", "get", "catalog", "-o", "xml", code=2).startswith("error: there is no format")
    assert "there is no module nowhere" in shop.failed("schema", "openapi", "nowhere")
