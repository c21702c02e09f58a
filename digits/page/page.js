// What Streamlit has no widget for: keys that judge, cells of a table that open pictures, boxes in a
// picture that open a digit's row, pictures pasted anywhere, answers announced, a run's progress
// brought into view, and a focus that does not get lost with the button that had it.
if (!window.digits) {
  window.digits = true;
  const live = document.createElement("div");
  live.setAttribute("role", "status");
  live.className = "said-aloud";

  // The words are put into one element that stays: screen readers miss elements that come and go.
  let told = "", row = "", wanted = "", taken = "", started = false, pressed = [];
  new MutationObserver(() => {
    // Its toolbar lies over the buttons above it; the page has its own undo and clear.
    const canvas = document.querySelector('[data-testid="stBidiComponentIsolated"]')?.shadowRoot;
    canvas?.querySelector(".dc-toolbar")?.remove();
    const words = [...document.querySelectorAll("[data-say]")]
      .map((one) => [...one.querySelectorAll("h2, p")].map((part) => part.innerText).join(", ") || one.innerText)
      .join(". ");
    if (words !== told) live.textContent = told = words;
    if (row && document.activeElement === document.body)
      document.querySelector(`.st-key-Undo-${CSS.escape(row)} button`)?.focus();
    const bar = started && document.querySelector('[data-testid="stProgress"]');
    if (bar) bar.scrollIntoView({ block: "nearest" }); // on a phone it stands under the button
    started &&= !bar;
    const offer = `.left-out[data-digit="${CSS.escape(taken)}"]`; // its card takes the offer's place
    if (taken && !document.querySelector(offer)) [wanted, taken] = [taken, ""];
    judge();
    press();
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
  document.body.append(live); // a first change: what stands there already is announced, too

  document.addEventListener("focusin", ({ target }) => {
    const left = target.matches(":focus-visible") && target.closest('[class*="st-key-row-"]');
    row = left ? left.className.match(/st-key-row-(\S+)/)[1] : "";
  });

  document.addEventListener("keydown", (event) => {
    const focus = document.activeElement;
    const writing = focus.closest("input, textarea, [contenteditable], [role=listbox]");
    const pressing = event.key === "Enter" && focus.closest("button, a, summary, [role=tab]");
    const off = document.querySelector(".st-key-keys input")?.checked === false;
    if (off || writing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = event.key === "Enter" ? 0 : /^[0-9]$/.test(event.key) ? Number(event.key) + 1 : -1;
    const row = '[class*="st-key-row-"]';
    const open = document.querySelector(`[data-testid="stPopoverBody"] ${row}`) ?? focus.closest(row);
    pressed = [open ?? document.querySelector(row), place];
    press();
  });

  // A row comes button by button: a key waits for its own.
  function press() {
    const button = pressed[0]?.querySelectorAll("button")[pressed[1]];
    if (!button) return;
    pressed = [];
    button.click();
  }

  document.addEventListener("click", ({ target }) => {
    started ||= Boolean(target.closest('[class*="st-key-Run-Fine-tuning"]'));
    const cell = target.closest("[data-pick]")?.dataset.pick;
    const pills = [...document.querySelectorAll(".st-key-misread button")];
    const pill = cell && pills.find((one) => one.innerText.trim().startsWith(`${cell} (`));
    pill?.click();
    pill?.scrollIntoView({ block: "center" });

    wanted = target.closest("[data-judge]")?.dataset.judge ?? "";
    const take = target.closest('[class*="st-key-It-is-a-digit"]')?.closest('[data-testid="stVerticalBlock"]');
    taken = take?.querySelector(".left-out")?.dataset.digit ?? "";
    judge();
  });

  // A picture stands before its digits' cards do: what is tapped in between opens once it is there.
  function judge() {
    if (!wanted) return;
    const card = document.querySelector(`[data-digit="${CSS.escape(wanted)}"]`);
    const button = card?.closest('[data-testid="stVerticalBlock"]').querySelector("button");
    const stale = button?.closest('[class*="st-key-It-is-a-digit"]') && !card.matches(".left-out");
    if (!card || stale || (!button && document.querySelector("[data-test-script-state=running]"))) return;
    wanted = "";
    card.scrollIntoView({ block: "center" });
    button?.focus();
    if (button?.closest('[data-testid="stPopover"]')) button.click();
  }

  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files].filter((one) => one.type.startsWith("image/"));
    const input = document.querySelector('[data-testid="stFileUploaderDropzoneInput"]');
    if (!files.length || !input) return;
    const pasted = new DataTransfer();
    files.forEach((one) => pasted.items.add(one));
    input.files = pasted.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
