// Saves points and a comment, and moves from answer to answer with the keyboard.

const form = document.querySelector("form.word");
const told = document.querySelector("output[name=told]");
const SAVED = "course-review-saved";
let before = form && JSON.parse(form.dataset.before);

function tell(text, isWrong = false) {
  told.value = text;
  told.classList.toggle("wrong", isWrong);
  told.classList.toggle("correct", !isWrong);
}

function isChanged() {
  const fields = [form.elements.points, form.elements.comment];
  return fields.some((field) => field && field.value !== field.defaultValue);
}

function leave(address) {
  window.removeEventListener("beforeunload", ask);
  location.assign(address);
}

function ask(event) {
  if (isChanged()) event.preventDefault();
}

async function save() {
  const { points, comment, mine } = form.elements;
  const [givenPoints, givenComment] = [points?.value.trim() ?? "", comment.value.trim()];
  if (!givenPoints && !givenComment && !before.some(Boolean)) {
    tell(points ? "Not saved: there are no points and no comment." : "Not saved: there is no comment.", true);
    return;
  }
  mine.hidden = true;
  const token = location.pathname.split("/")[1];
  let status, answer;
  try {
    const response = await fetch("save", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Token": token },
      body: JSON.stringify({ place: form.dataset.place, points: givenPoints, comment: givenComment, before }),
    });
    status = response.status;
    answer = await response.json();
  } catch {
    tell("Not saved: course review does not answer. Is it still running?", true);
    return;
  }
  if (status === 200) {
    const what = givenPoints ? `points: ${givenPoints}` : givenComment ? "a comment" : "taken back";
    sessionStorage.setItem(SAVED, `Saved: ${document.querySelector("h1").textContent}, ${what}.`);
    leave(form.dataset.after);
    return;
  }
  tell(answer.error, true);
  if (answer.now) {
    mine.hidden = false;
    mine.onclick = () => {
      before = answer.now;
      save();
    };
  }
  // Not the button: a second Enter must not save over what is newer.
  (points ?? comment).focus();
}

function start() {
  tell(sessionStorage.getItem(SAVED) ?? "");
  sessionStorage.removeItem(SAVED);
  if (!form) return;
  (form.elements.points ?? form.elements.comment).focus({ preventScroll: true });
  form.elements.points?.select();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  window.addEventListener("beforeunload", ask);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    } else if (
      event.altKey &&
      ["ArrowDown", "ArrowUp"].includes(event.key) &&
      event.target.tagName !== "SELECT"
    ) {
      event.preventDefault();
      document.querySelector(`a[rel=${event.key === "ArrowDown" ? "next" : "prev"}]`)?.click();
    }
  });
}

start();
