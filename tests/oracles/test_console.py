"""The console in a real Chromium, Debian's or the one in CHROMIUM: `make oracle-console`.

Every panel, by mouse and by keyboard alone, from 360 to 1400 pixels, in light and dark; axe-core on
each; hostile names and payloads, a thousand models, and a server that goes away and comes back.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

if "CONSOLE_ORACLE" not in os.environ:
    pytest.skip(
        "CONSOLE_ORACLE does not name the folder of playwright and axe-core: see "
        "`make oracle-console`",
        allow_module_level=True,
    )

from playwright.sync_api import sync_playwright

from cloudserve.golden.file import read_golden
from tests.oracles.console_servers import (
    CLOUDSERVE,
    EVERY,
    PATIENCE,
    RULE_CHECK,
    changeable_server,
    free_port,
    model,
    released_clouds,
    send,
    serving,
    show,
    tab_to,
    write_config,
)

pytestmark = pytest.mark.timeout(1200)
"""Of a busy machine; a test takes seconds on an idle one."""

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
AXE = Path(os.environ["CONSOLE_ORACLE"], "node_modules/axe-core/axe.min.js").read_text("utf-8")
HOSTILE = "<img src=x onerror=alert(1)>\"'&"
READY = "/v1/models/half/versions/124"
MODELS = ("#/models/half", "#/models/two", "#/traffic", "#/batching", "#/requests")
CLOUDS = ("#/clouds", "#/releases", "#/calls", "#/faults")
FORMS = ("Change versions and labels", "Promote or roll back", "Send a request")


@pytest.fixture(scope="module")
def config(tmp_path_factory, shared_models):
    models = [
        model("half", shared_models / "tfs_half_plus_two_2v", EVERY),
        model("two", shared_models / "sts_template_app", EVERY),
        model(HOSTILE, shared_models / "tfs_half_plus_three"),
        *(model(f"absent-{number:04}", f"/none/{number}") for number in range(1000)),
    ]
    return write_config(tmp_path_factory.mktemp("console") / "models.config", *models)


@pytest.fixture(scope="module")
def server(config):
    ready = (READY, "/v1/models/two/versions/2")
    with serving(config, config.with_name("log"), free_port(), ready) as url:
        yield url


@pytest.fixture
def changeable(shared_models, tmp_path):
    """A server of its own, whose models a test changes; the link with its token."""
    half = model("half", shared_models / "tfs_half_plus_two_2v", EVERY)
    with changeable_server(tmp_path, half, READY) as (url, link):
        yield url, link


@pytest.fixture(scope="module")
def clouds(tmp_path_factory, shared_models):
    """The offline clouds with a project, of which both versions are deployed to SageMaker."""
    with released_clouds(tmp_path_factory.mktemp("clouds"), shared_models) as places:
        yield places


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    opened = context.new_page()
    problems = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(f"dialog {dialog.message}"))
    yield opened
    context.close()
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_no_panel_breaks_a_rule_of_axe_or_is_wider_than_the_window(
    browser, server, clouds, scheme, width
):
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    context.set_default_timeout(PATIENCE * 1000)
    context.add_init_script(AXE)
    page = context.new_page()
    pages = [*(f"{server}/{part}" for part in MODELS), *(f"{clouds[0]}/{part}" for part in CLOUDS)]
    for url in pages:
        show(page, url)
        for title in FORMS:
            for summary in page.locator("summary", has_text=title).all():
                summary.click()
        if "clouds" in url:
            page.locator(".tryit").first.wait_for()
        if "models/" in url:
            send(page)
        assert page.evaluate(RULE_CHECK) == [], url
        assert page.evaluate("document.documentElement.scrollWidth") <= width, url
    page.goto(f"{server}/docs")
    page.locator("summary").first.click()
    assert page.evaluate(RULE_CHECK) == []
    context.close()


def test_a_prediction_is_sent_shown_and_compared(page, server):
    show(page, f"{server}/#/models/half/124")
    page.locator(".fields input, .fields textarea").first.fill("1")
    page.get_by_label("Compare with").select_option("123")
    send(page)
    assert "200" in page.locator(".timing").inner_text()
    assert "2.5" in page.locator(".output").inner_text()
    assert "equal" in page.locator(".difference").inner_text()
    page.get_by_label("Request for").select_option("curl")
    command = page.get_by_label("Request", exact=True).inner_text()
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert '"predictions": [[2.5' in answer.stdout


def test_the_keyboard_alone_plans_a_release(page, clouds):
    show(page, clouds[1])
    tab_to(page, "Releases")
    page.keyboard.press("Enter")
    tab_to(page, "Promote or roll back")
    page.keyboard.press("Enter")
    tab_to(page, "Show the plan")
    page.keyboard.press("Enter")
    page.locator("pre", has_text="cloudserve promote half").wait_for()


def test_the_keyboard_alone_changes_a_models_versions(page, changeable):
    show(page, changeable[1])
    tab_to(page, "Change versions and labels")
    page.keyboard.press("Enter")
    page.locator("pre", has_text="HandleReloadConfigRequest").wait_for()
    tab_to(page, "Perform")
    page.keyboard.press("Enter")
    page.locator("p", has_text="Not served: 124").wait_for()


def test_the_keyboard_alone_sends_a_request(page, server):
    show(page, f"{server}/#/models/half/124")
    page.locator(".tryit").wait_for()
    tab_to(page, "Send")
    page.keyboard.press("Enter")
    page.locator(".result .timing").wait_for()
    assert "200" in page.locator(".timing").inner_text()


def test_bad_numbers_are_named_and_not_sent(page, server):
    show(page, f"{server}/#/models/half/124")
    page.locator(".fields input, .fields textarea").first.fill("one")
    send(page)
    assert "cannot be read" in page.locator(".tryit .problem:visible").first.inner_text()
    assert (
        page.locator(".fields input, .fields textarea").first.get_attribute("aria-invalid")
        == "true"
    )


def test_hostile_names_and_long_strings_stay_text(page, server):
    show(page, f"{server}/")
    page.get_by_label("Filter models").fill("<img")
    page.locator(".rail a").click()
    assert page.locator(".detail h2").inner_text() == HOSTILE
    assert page.locator("main img").count() == 0
    page.locator("summary", has_text="Edit the request").click()
    body = page.get_by_label("Request body as JSON")
    body.evaluate("(area) => { area.value = JSON.stringify({instances: ['x'.repeat(1e7)]}); }")
    send(page)
    assert len(page.locator("main").inner_text()) < 100_000


def test_answers_that_are_no_json_numbers_are_shown(page, server):
    show(page, f"{server}/#/models/half/124")
    page.locator("summary", has_text="Edit the request").click()
    page.get_by_label("Request body as JSON").fill('{"instances": [NaN, Infinity]}')
    send(page)
    assert "NaN" in page.locator(".output").inner_text()


def test_a_thousand_models_are_listed_and_filtered(page, server):
    show(page, f"{server}/")
    status = page.locator("aside [role=status]")
    status.filter(has_text="1,003 models").wait_for()
    assert page.locator(".rail li").count() == 200
    page.get_by_label("Filter models").fill("absent-0999")
    assert page.locator(".rail li").count() == 1


def test_a_recorded_request_is_opened_and_sent_again(page, server):
    show(page, f"{server}/#/models/half/123")
    page.locator(".fields input, .fields textarea").first.fill("5")
    send(page)
    page.get_by_role("link", name="Requests").click()
    page.locator("tbody tr:first-child", has_text="123").wait_for()
    page.get_by_role("button", name="Open").first.click()
    assert "5" in page.get_by_label("Request", exact=True).inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as golden file").click()
    assert download.value.suggested_filename.endswith(".golden.jsonl")
    (example,) = read_golden(download.value.path()).examples
    assert "5" in json.dumps(example.request)
    page.get_by_role("button", name="Send it again").click()
    page.locator(".tryit").wait_for()
    send(page)
    assert "4.5" in page.locator(".output").inner_text()


def test_traffic_appears_while_the_page_is_open(page, server):
    show(page, f"{server}/#/traffic")
    page.evaluate("""async () => { for (let sent = 0; sent < 50; sent += 1) await fetch(
        '/v1/models/half:predict', {method: 'POST', body: '{"instances": [1.0]}'}); }""")
    page.locator("td", has_text="half").first.wait_for()
    show(page, f"{server}/#/batching")
    assert "rows were padding" in page.locator("main").inner_text()


def test_the_page_finds_a_server_that_comes_back(page, config, tmp_path):
    port, log = free_port(), tmp_path / "log"
    with serving(config, log, port, (READY,)) as url:
        show(page, f"{url}/")
    page.locator("#live[data-state=lost]").wait_for()
    with serving(config, log, port, (READY,)):
        page.locator("#live[data-state=live]").wait_for()
        send(page)
        assert "200" in page.locator(".timing").inner_text()


def test_faults_are_read_only_without_the_token_and_switches_with_it(page, clouds):
    url, link, _ = clouds
    show(page, f"{url}/#/faults")
    assert page.get_by_role("button", name="Use these rules").is_disabled()
    page.goto("about:blank")
    show(page, link)
    assert "token" not in page.url
    page.get_by_role("link", name="Faults").click()
    page.get_by_role("button", name="No capacity for new endpoints").click()
    page.get_by_role("button", name="Use these rules").click()
    page.locator("td", has_text="SageMaker.CreateEndpoint").wait_for()
    page.get_by_role("button", name="Remove all faults").click()
    page.locator("p", has_text="No faults are injected").wait_for()


def test_models_are_read_only_without_the_token_and_change_with_it(page, changeable):
    url, link = changeable
    show(page, f"{url}/")
    page.locator("summary", has_text="Change versions and labels").click()
    call = page.get_by_label("The reload that does the same")
    call.filter(has_text="versions: 123").wait_for()
    assert page.get_by_role("button", name="Perform").is_disabled()
    page.goto("about:blank")
    show(page, link)
    assert "token" not in page.url
    page.locator("summary", has_text="Change versions and labels").click()
    chosen = page.locator(".operation-body select")
    chosen.nth(0).select_option("label")
    chosen.nth(1).select_option("123")
    page.get_by_label("Label", exact=True).fill(HOSTILE)
    call.filter(has_text="alert(1)").wait_for()
    page.get_by_role("button", name="Perform").click()
    page.locator("td", has_text="<img src=x").wait_for()
    chosen.nth(0).select_option("unload")
    chosen.nth(1).select_option("123")
    page.locator(".operation-body", has_text="remove or move it first").wait_for()
    chosen.nth(1).select_option("124")
    page.get_by_role("button", name="Perform").click()
    page.locator("p", has_text="Not served: 124").wait_for()
    chosen.nth(0).select_option("load")
    call.filter(has_text="versions: 124").wait_for()
    program = call.inner_text()
    assert "HandleReloadConfigRequest" in program
    compile(program, "the page's call", "exec")
    page.get_by_role("button", name="Perform").click()
    page.locator("td", has_text="124").wait_for()


@pytest.mark.parametrize("cloud", ["AWS", "Vertex AI"])
def test_an_endpoint_is_asked_by_a_form_of_its_signatures(page, clouds, cloud):
    url, _, environment = clouds
    show(page, f"{url}/#/clouds")
    card = page.locator("article", has_text=cloud).filter(has_not_text="half-staging")
    card.locator("summary", has_text="Send a request").click()
    card.locator(".fields input").first.fill("4")
    card.get_by_role("button", name="Send").click()
    card.locator(".result .timing").wait_for()
    assert "200" in card.locator(".timing").inner_text()
    assert "4" in card.locator(".output").inner_text()
    for form in ("curl", "cloudserve predict"):
        card.get_by_label("Request for").select_option(form)
        command = card.get_by_label("Request", exact=True).inner_text()
        answer = subprocess.run(
            ["bash", "-c", f'PATH="{CLOUDSERVE.parent}:$PATH"; {command}'],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert re.search(r'"predictions": *\[\s*\[?\s*4', answer.stdout), answer
    first = card.get_by_label("Request for").locator("option").first.get_attribute("value")
    card.get_by_label("Request for").select_option(first)
    program = card.get_by_label("Request", exact=True).inner_text()
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4" in answer.stdout, answer


def test_a_release_is_planned_shown_and_carried_out_with_the_token(page, clouds):
    url, link, _ = clouds
    show(page, f"{url}/#/releases")
    page.locator("summary", has_text="Promote or roll back").click()
    assert page.get_by_role("button", name="Show the plan").is_disabled()
    page.goto("about:blank")
    show(page, link)
    page.get_by_role("link", name="Releases").click()
    page.locator("summary", has_text="Promote or roll back").click()
    page.get_by_label("Percent of the traffic").fill("lots")
    page.get_by_role("button", name="Show the plan").click()
    page.locator(".problem:visible", has_text="a whole number").wait_for()
    page.get_by_label("Percent of the traffic").fill("25")
    page.get_by_role("button", name="Show the plan").click()
    page.locator("pre", has_text="cloudserve promote half -t aws --version v124-").wait_for()
    page.get_by_role("button", name="Carry it out").click()
    page.locator(".timing", has_text="done").wait_for()
    page.locator("summary", has_text="promote half 25 %").first.wait_for()
    page.get_by_role("link", name="Clouds").click()
    page.locator(".share", has_text="25 %").first.wait_for()


def test_the_environment_of_a_release_is_chosen_and_shown(page, clouds):
    show(page, clouds[1])
    page.get_by_role("link", name="Releases").click()
    page.locator("summary", has_text="in staging").first.wait_for()
    page.locator("summary", has_text="Promote or roll back").click()
    chosen = page.get_by_label("Environment")
    assert chosen.input_value() == ""
    chosen.select_option("staging")
    page.get_by_role("button", name="Show the plan").click()
    page.locator(".result strong", has_text="on aws, environment staging").wait_for()
    page.locator("pre", has_text=" --env staging --project ").wait_for()
    chosen.select_option("")
    assert page.locator(".result strong").count() == 0  # the plan was another environment's
    page.get_by_role("button", name="Show the plan").click()
    shown = page.locator("pre", has_text="cloudserve promote half -t aws")
    shown.wait_for()
    assert "--env" not in shown.inner_text()


def test_a_plan_that_arrives_after_another_choice_is_not_shown(page, clouds):
    show(page, clouds[1])
    page.get_by_role("link", name="Releases").click()
    page.locator("summary", has_text="Promote or roll back").click()
    held = []
    page.route("**/releases/plan", lambda route: held.append(route))  # noqa: PLW0108 - it is marked
    with page.expect_request("**/releases/plan"):
        page.get_by_role("button", name="Show the plan").click()
    page.get_by_label("Environment").select_option("staging")
    (route,) = held
    with page.expect_response("**/releases/plan"):
        route.continue_()
    page.get_by_role("button", name="Show the plan").wait_for()  # the work with the answer is done
    assert page.locator(".result strong").count() == 0
