"""Looks at pages of payctl in headless Chromium, as a person would: at three sizes, light and dark, by
mouse and by keys, on paper, and with the rules of axe.

    check.py FOLDER PAGE...    pictures go to FOLDER
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import axe_playwright_python
from playwright.sync_api import sync_playwright

SIZES = {"phone": (390, 844), "laptop": (1440, 900), "wall": (1920, 1200)}
AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# Whatever a reader may choose, in the drawing and out of it.
BOX = "#drawing .box[role=button]"


def browser_path():
    def found():
        names = ("chromium", "chromium-browser", "google-chrome")
        return next(filter(None, map(shutil.which, names)), None)

    # In a container of Debian, root may install it, as pip installs Playwright.
    if not found() and shutil.which("apt-get") and os.geteuid() == 0:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-liberation"]
        for command in (["apt-get", "update", "-qq"], install):
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=300)
    return found() or sys.exit("these tests need Chromium: install it with `apt-get install chromium`")


def expect(truth, said):
    if not truth:
        raise AssertionError(said)


def axe(page, where):
    # The policy of the page forbids scripts from elsewhere; this one comes from the debugger.
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    told = [{"rule": one["id"], "nodes": [node["html"][:160] for node in one["nodes"]][:3],
             "why": one["nodes"][0]["failureSummary"]} for one in found]
    expect(not told, f"{where}: axe finds {json.dumps(told, indent=1)}")


def inside(page, where):
    """Nothing of the drawing reaches out of it, and no text out of its box."""
    bad = page.evaluate("""() => {
      const bad = [];
      const all = document.querySelector('#drawing').getBoundingClientRect();
      const out = (inner, outer) => inner.left < outer.left - 1 || inner.right > outer.right + 1
        || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
      for (const box of document.querySelectorAll('#drawing .box')) {
        const card = box.querySelector('.card').getBoundingClientRect();
        if (out(card, all)) bad.push('out of the drawing: ' + box.querySelector('.title').textContent);
        for (const text of box.querySelectorAll('.title, .note')) {
          if (out(text.getBoundingClientRect(), card)) bad.push('out of its box: ' + text.textContent);
        }
      }
      for (const label of document.querySelectorAll('#drawing .label')) {
        const plate = label.querySelector('rect').getBoundingClientRect();
        if (out(label.querySelector('text').getBoundingClientRect(), plate)) {
          bad.push('wider than its place: ' + label.querySelector('text').textContent);
        }
      }
      return bad;
    }""")
    expect(not bad, f"{where}: {bad}")


def fits(page, where):
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    expect(wide[0] <= wide[1], f"{where}: the page is wider than the window: {wide}")


def mouse(page):
    box = page.locator(BOX).first
    box.click()
    expect(page.locator("#panel").is_visible(), "a click opens no panel")
    expect(page.locator("#chosen dl dt").count() > 0, "the panel has no fields")
    page.locator("#close").click()
    expect(page.locator("#panel").is_hidden(), "the panel does not close")
    badge = page.locator("#drawing .box:has(.badge)").first
    badge.click()
    expect(page.locator("#chosen h3", has_text="Belongs to it").count() == 1,
           "the panel does not list what belongs to the box")
    page.keyboard.press("Escape")
    expect(page.locator("#panel").is_hidden(), "Escape does not close the panel")


def filters(page):
    # Asked of the style, since a box out of view is shown as well.
    shown = "[...document.querySelectorAll('#drawing .box')]" \
        ".filter(box => getComputedStyle(box).visibility === 'visible').length"
    everything = page.evaluate(shown)
    page.locator("#component").select_option("queues")
    some = page.evaluate(shown)
    expect(0 < some < everything, f"the component filters nothing: {some} of {everything}")
    hidden = page.locator("details.resource:visible").evaluate_all(
        "all => all.filter(one => one.dataset.component !== 'queues').length")
    expect(hidden == 0, "the list shows other components")
    page.locator("#component").select_option("")
    expect(page.evaluate(shown) == everything, "the filter does not end")
    for toggle in page.locator(".toggle").all():
        toggle.click()
    if page.locator(".toggle").count():
        expect(page.evaluate(shown) == 0, "boxes stay although every action is off")
        for toggle in page.locator(".toggle").all():
            toggle.click()
    expect(page.evaluate(shown) == everything, "the filter of actions does not end")


def keys(page):
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    page.keyboard.type("transactions")
    pale = page.locator("#drawing .box.pale").count()
    expect(pale > 0, "a search makes nothing pale")
    page.keyboard.press("Enter")
    name = "document.activeElement.getAttribute('aria-label') || ''"
    expect("transactions" in page.evaluate(name), "Enter does not lead to what was searched")
    page.keyboard.press("Enter")
    expect(page.locator("#panel").is_visible(), "Enter opens no panel")
    page.keyboard.press("Escape")
    expect("transactions" in page.evaluate(name), "Escape does not lead back to the box")
    first = page.evaluate(name)
    page.keyboard.press("ArrowLeft")
    second = page.evaluate(name)
    expect(first != second and second, f"an arrow leads nowhere: {first} -> {second}")
    page.keyboard.press("Escape")
    expect(page.locator("#search").input_value() == "", "Escape does not end the search")
    # One stop for the whole drawing, and one for each control.
    stops = page.locator("#drawing [tabindex='0']").count()
    expect(stops == 1, f"the drawing has {stops} stops for Tab")
    page.locator("#theme").focus()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('#drawing') !== null"))
    expect(any(reached), "Tab does not reach the drawing")


def theme(page):
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    before = page.evaluate(paper)
    page.locator("#theme").click()
    expect(page.evaluate(paper) != before, "the switch changes no colour")
    page.locator("#theme").click()
    expect(page.evaluate(paper) == before, "the switch does not switch back")


def paper(page, folder, name):
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".controls").is_hidden(), "paper shows the controls")
    page.emulate_media(media=None, color_scheme="light")
    sheet = folder / f"{name}.pdf"
    page.pdf(path=sheet, prefer_css_page_size=True, print_background=True)
    expect(sheet.stat().st_size > 10_000, "the paper is empty")


def look(browser, folder, path):
    name = path.stem
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            where = f"{name}, {size}, {scheme}"
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            said = []
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: said.append(request.url)
                    if not request.url.startswith("file:") else None)
            page.goto(path.as_uri())
            page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
            inside(page, where)
            fits(page, where)
            axe(page, where)
            mouse(page)
            if scheme == "light":
                filters(page)
                keys(page)
                theme(page)
            page.locator(BOX).first.click()
            axe(page, f"{where}, with the panel")
            page.screenshot(path=folder / f"{name}-{size}-{scheme}-panel.png")
            if size == "laptop" and scheme == "light":
                page.keyboard.press("Escape")
                paper(page, folder, name)
            expect(not said, f"{where}: the console or the network says {said}")
            page.close()


def too_long(*_):
    sys.exit("the pages took longer than 15 minutes")


def main():
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(15 * 60)
    folder = pathlib.Path(sys.argv[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        for page in sys.argv[2:]:
            look(browser, folder, pathlib.Path(page).resolve())
            print(f"{page}: as it should be", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
