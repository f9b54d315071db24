// The page of `mic demo`: sends pictures to the server on this machine, draws what comes back.

const HISTORY_SECONDS = 20;
const PICTURE_WIDTH = 480; // what is sent of the camera; the networks see the face alone
const CAMERA_PAUSE = 40; // milliseconds from picture to picture
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const byId = (name) => document.getElementById(name);
const run = {
  id: null, source: null, active: false, busy: null, stream: null, method: null, chosen: null,
  turn: 0, opening: false,
};
const rows = { classes: [], movements: [] };

// ---------------------------------------------------------------- server

class ServerError extends Error {
  constructor(answer) {
    super(answer.error);
    this.remedy = answer.remedy;
  }
}

async function ask(path, { query = {}, body = null } = {}) {
  const address = new URL(path, location.href);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  let response;
  try {
    response = await fetch(address, { method: "POST", body });
  } catch {
    throw new ServerError({
      error: "The server does not answer.",
      remedy: "Run `mic demo` again and open the address that it prints.",
    });
  }
  if (!response.ok) throw new ServerError(await response.json());
  return response;
}

// An answer is a length (32 bits, little endian), that much JSON, then the parts it lists.
async function unpack(response) {
  const data = await response.arrayBuffer();
  const length = new DataView(data).getUint32(0, true);
  const frame = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  let place = 4 + length;
  for (const [name, size] of Object.entries(frame.parts)) {
    frame[name] = new Uint8Array(data, place, size);
    place += size;
  }
  return frame;
}

// ---------------------------------------------------------------- sources

const CAMERA_PROBLEMS = {
  NotAllowedError: "The browser did not get permission. Allow the camera beside the address, "
    + "then start again; or open a video instead.",
  NotFoundError: "There is no camera. Connect one, or open a video instead.",
  NotReadableError: "Another program holds the camera. Close it, then start again.",
};

// Each start and each stop has a turn. What was still being opened when the next one came is let
// go: two sources would draw over each other, and the first would never be closed.
async function take() {
  run.turn += 1;
  const turn = run.turn;
  opening(false);
  if (run.active) {
    finish();
    await run.busy;
  }
  return turn;
}

// Opens a source, and lets go of what it opened when it is no longer its turn.
async function start(open) {
  const taken = take();
  opening(true); // at once: what is not open yet can be stopped, too
  const held = { turn: await taken, session: null, stream: null };
  held.late = () => held.turn !== run.turn;
  if (held.late()) return;
  try {
    await open(held);
  } catch (error) {
    release(held);
    if (!held.late()) failed(error);
    return;
  }
  if (held.late()) release(held);
}

function opening(whether) {
  run.opening = whether;
  byId("stop").disabled = !(run.opening || run.active);
}

function release({ session, stream }) {
  stream?.getTracks().forEach((track) => track.stop());
  if (session) ask("close", { query: { session } }).catch(() => {});
}

async function startCamera(held) {
  try {
    if (!navigator.mediaDevices) throw new DOMException("", "NotFoundError");
    held.stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 25 } },
    });
  } catch (error) {
    if (held.late()) return;
    opening(false);
    say(CAMERA_PROBLEMS[error.name] ?? `The camera failed: ${error.message}`, "problem");
    return;
  }
  if (held.late()) return;
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = held.stream;
  await video.play();
  held.stream.getVideoTracks()[0].addEventListener("ended", async () => {
    if (held.late()) return;
    await stop();
    say("The camera was disconnected.", "problem");
  });
  const width = Math.min(PICTURE_WIDTH, video.videoWidth);
  const height = Math.round((width * video.videoHeight) / video.videoWidth);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const { session } = await (await ask("camera")).json();
  held.session = session;
  if (held.late()) return;
  const first = performance.now();
  let due = first;
  begin({ session }, "camera", held.stream, async () => {
    await pause(Math.max(0, due - performance.now()));
    due = performance.now() + CAMERA_PAUSE;
    const time = Math.round(performance.now() - first);
    context.drawImage(video, 0, 0, width, height);
    const picture = context.getImageData(0, 0, width, height);
    const query = { session, width, height, time };
    return { picture, ...(await unpack(await ask("frame", { query, body: picture.data }))) };
  });
}

async function openFilm(file, held) {
  say(`Reading ${file.name} …`);
  const film = await (await ask("film", { body: file })).json();
  held.session = film.session;
  if (held.late()) return;
  begin(film, file.name, null, async () => {
    const response = await ask("next", { query: { session: film.session } });
    if (response.status === 204) return null;
    const frame = await unpack(response);
    const pixels = new Uint8ClampedArray(frame.pixels);
    return { ...frame, picture: new ImageData(pixels, frame.width, frame.height) };
  });
}

function begin({ session, method }, source, stream, next) {
  Object.assign(run, { id: session, source, stream, active: true, method, chosen: null });
  opening(false);
  history.clear();
  clearRegion();
  // What a source that was let go says at its end is no matter of the next one.
  run.busy = loop(next).catch((error) => { if (run.active) failed(error); });
}

async function loop(next) {
  const meter = new Meter();
  let zero = null; // when the source's second 0 was, by this page's clock
  while (run.active) {
    const asked = performance.now();
    const frame = await next();
    const answered = performance.now();
    if (!run.active) return;
    if (frame === null) {
      finish();
      say(`${run.source} has ended.`);
      return;
    }
    // Each picture at its own time; after a delay the rest comes later instead of faster.
    zero = Math.max(zero ?? -Infinity, answered - 1000 * frame.time);
    const wait = zero + 1000 * frame.time - answered;
    if (wait > 1) await pause(wait);
    if (!run.active) return;
    draw(frame);
    meter.add(performance.now(), answered - asked, frame);
  }
}

async function stop() {
  if (!run.active && !run.opening) return;
  await take();
  say("Stopped. Start the camera or open a video.");
}

function finish() {
  run.active = false;
  run.stream?.getTracks().forEach((track) => track.stop());
  run.stream = null;
  opening(false);
  ask("close", { query: { session: run.id } }).catch(() => {});
}

function failed(error) {
  opening(false);
  if (run.active) finish();
  const text = error instanceof ServerError ? error.message : `The page failed: ${error.message}`;
  say(error.remedy ? `${text} ${error.remedy}` : text, "problem");
}

// ---------------------------------------------------------------- drawing

// Screen readers announce each change, so the same text is not set twice.
function say(text, kind = "hint") {
  const line = byId("status");
  if (line.textContent !== text) line.textContent = text;
  line.dataset.kind = kind;
}

function draw(frame) {
  const person = chosen(frame.people);
  drawPicture(frame, person);
  drawRegion(frame, person);
  drawClasses(frame, person);
  drawMovements(person);
  say(frame.message, person?.status === "ok" ? "hint" : "problem");
}

// The person whose button was pressed, or the largest; buttons are there when there are several.
function chosen(people) {
  const group = byId("people");
  const numbers = people.length > 1 ? people.map((one) => one.number).sort((a, b) => a - b) : [];
  const person = people.find((one) => one.number === run.chosen) ?? people[0];
  const wanted = numbers.join();
  if (group.dataset.numbers !== wanted) {
    group.dataset.numbers = wanted;
    group.replaceChildren(...numbers.map((number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Person ${number}`;
      button.dataset.number = number;
      button.addEventListener("click", () => { run.chosen = number; history.clear(); });
      return button;
    }));
  }
  for (const button of group.children) {
    button.setAttribute("aria-pressed", Number(button.dataset.number) === person?.number);
  }
  return person;
}

function drawPicture({ picture, people }, person) {
  const canvas = byId("picture");
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.style.aspectRatio = `${picture.width} / ${picture.height}`;
  }
  const context = canvas.getContext("2d");
  context.putImageData(picture, 0, 0);
  const how = person?.looked ? "looked at" : "carried by the stream's motion, or kept";
  byId("face").textContent = person ? `· box ${how}` : "· no face";
  const unit = picture.width / 320;
  context.font = `${Math.round(12 * unit)}px system-ui, sans-serif`;
  context.lineWidth = 3 * unit;
  context.lineJoin = "round";
  for (const { number, box: [left, top, right, bottom], looked } of people) {
    context.setLineDash(looked ? [] : [6 * unit, 4 * unit]);
    // Light on dark, so that the frame stands out from every picture.
    for (const [width, colour] of [[3.5, "#10151acc"], [1.3, "#ffffff"]]) {
      context.lineWidth = width * unit;
      context.strokeStyle = colour;
      context.strokeRect(left, top, right - left, bottom - top);
    }
    if (people.length < 2) continue;
    context.setLineDash([]);
    context.fillStyle = "#ffffff";
    context.strokeStyle = "#10151acc";
    context.strokeText(number, left, top - 4 * unit);
    context.fillText(number, left, top - 4 * unit);
  }
}

function clearRegion() {
  const canvas = byId("region");
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  byId("looked").textContent = "";
}

// What the networks were given of the last picture looked at; it stays until the next look.
function drawRegion(frame, person) {
  if (!person) clearRegion();
  if (!person?.region) return;
  const canvas = byId("region");
  const [width, height] = person.region;
  canvas.width = width;
  canvas.height = height;
  const samples = new Uint8ClampedArray(frame[`region-${person.number}`]);
  canvas.getContext("2d").putImageData(new ImageData(samples, width, height), 0, 0);
  byId("looked").textContent = `· ${width}×${height} at ${frame.time.toFixed(1)} s`;
}

// ---------------------------------------------------------------- classes over time

function makeRow(name, into, { strip }) {
  const row = document.createElement("div");
  row.className = "row";
  row.innerHTML = '<span class="name"></span><span class="bar"><i></i></span>'
    + `<span class="share">–</span>${strip ? '<canvas height="1"></canvas>' : ""}`;
  row.querySelector(".name").textContent = name;
  row.querySelector("canvas")?.setAttribute("aria-hidden", "true");
  into.append(row);
  return row;
}

function setRow(row, value) {
  row.querySelector("i").style.transform = `scaleX(${value ?? 0})`;
  row.querySelector(".share").textContent = value == null ? "–" : `${Math.round(100 * value)} %`;
}

const history = {
  values: [], // [seconds of the source, probabilities of a look]
  clear() {
    this.values = [];
    for (const row of rows.classes) paintStrip(row.querySelector("canvas"), [], 0);
  },
  add(now, probabilities) {
    this.values.push([now, probabilities]);
    while (this.values[0][0] < now - HISTORY_SECONDS) this.values.shift();
    rows.classes.forEach((row, index) => {
      const line = this.values.map(([time, values]) => [time, values?.[index] ?? null]);
      paintStrip(row.querySelector("canvas"), line, now);
    });
  },
};

// One column of colour a picture: the darker, the more probable; empty where nothing is named.
function paintStrip(canvas, line, now) {
  const width = Math.max(1, canvas.clientWidth);
  if (canvas.width !== width) canvas.width = width;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, 1);
  const cell = getComputedStyle(document.body).getPropertyValue("--cell");
  const place = (time) => Math.round(width * (1 - (now - time) / HISTORY_SECONDS));
  line.forEach(([time, value], index) => {
    const end = index + 1 < line.length ? place(line[index + 1][0]) : width;
    if (value === null || end <= 0) return;
    context.fillStyle = `rgb(${cell} / ${value})`;
    context.fillRect(place(time), 0, end - place(time), 1);
  });
}

function drawClasses({ time }, person) {
  history.add(time, person?.now ?? null);
  const recent = person?.recent;
  const best = recent ? Math.max(...recent) : null;
  byId("verdict").textContent = recent ? `· ${person.label}, ${Math.round(100 * best)} %` : "";
  rows.classes.forEach((row, index) => {
    setRow(row, recent?.[index]);
    row.classList.toggle("top", Boolean(recent) && recent[index] === best);
  });
}

function drawMovements(person) {
  rows.movements.forEach((row, index) => setRow(row, person?.movements?.[index]));
  const [yaw, pitch, roll] = person?.pose?.map((value) => Math.round(value)) ?? [];
  byId("pose").textContent = person?.pose ? `· yaw ${yaw}°, pitch ${pitch}°, roll ${roll}°` : "";
}

// ---------------------------------------------------------------- measurements

class Meter {
  constructor() {
    this.samples = [];
    this.shown = 0;
  }

  // Means over the last second, renewed four times in it, so that they can be read.
  add(now, latency, frame) {
    this.samples.push({ now, latency });
    while (this.samples[0].now < now - 1000) this.samples.shift();
    byId("clock").textContent = frame.time.toFixed(1);
    byId("shown").textContent = frame.number + 1;
    byId("looks").textContent = frame.looks;
    const film = Boolean(run.method);
    byId("decoded").textContent = film ? frame.decoded : "–";
    byId("regions").textContent = film ? frame.regions : "–";
    if (now - this.shown < 250 || this.samples.length < 2) return;
    this.shown = now;
    const count = this.samples.length;
    const total = this.samples.reduce((sum, one) => sum + one.latency, 0);
    byId("latency").textContent = (total / count).toFixed(0);
    const rate = (1000 * (count - 1)) / (now - this.samples[0].now);
    byId("rate").textContent = rate.toFixed(1);
  }
}

// ---------------------------------------------------------------- controls

byId("camera").addEventListener("click", () => start(startCamera));
byId("stop").addEventListener("click", () => stop());
byId("open").addEventListener("click", () => byId("film").click());
byId("film").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = ""; // so that the same file can be opened again
  if (file) start((held) => openFilm(file, held));
});
// Who closes the page leaves no film behind; a page that comes back from the browser's cache
// finds its session ended.
window.addEventListener("pagehide", () => {
  if (!run.active) return;
  const address = new URL("close", location.href);
  address.searchParams.set("session", run.id);
  navigator.sendBeacon(address);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const button = { c: "camera", o: "open", s: "stop" }[event.key.toLowerCase()];
  if (button) byId(button).click();
});

try {
  const about = await (await ask("about")).json();
  rows.classes = about.classes.map((name) => makeRow(name, byId("rows"), { strip: true }));
  rows.movements = about.movements
    .map((name) => makeRow(name, byId("movements"), { strip: false }));
  byId("card").textContent = about.card;
} catch (error) {
  failed(error);
}
