// The page of `mic demo`: sends pictures to the server on this machine, draws what comes back.

const HISTORY_SECONDS = 20;
const PICTURE_WIDTH = 320; // what is sent of the camera; the network sees the face alone
const byId = (name) => document.getElementById(name);
const run = { id: null, source: null, active: false, busy: null, stream: null, rows: [] };

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

const settings = () => ({ session: run.id, gop: byId("gop").value, quant: byId("quant").value });

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

async function startCamera() {
  await stop();
  try {
    if (!navigator.mediaDevices) throw new DOMException("", "NotFoundError");
    run.stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 25 } },
    });
  } catch (error) {
    say(CAMERA_PROBLEMS[error.name] ?? `The camera failed: ${error.message}`, "problem");
    return;
  }
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = run.stream;
  await video.play();
  run.stream.getVideoTracks()[0].addEventListener("ended", () => {
    stop();
    say("The camera was disconnected.", "problem");
  });
  const width = Math.min(PICTURE_WIDTH, video.videoWidth);
  const height = Math.round((width * video.videoHeight) / video.videoWidth);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const { session } = await (await ask("camera")).json();
  begin(session, "camera", 1000 / 25, async () => {
    context.drawImage(video, 0, 0, width, height);
    const picture = context.getImageData(0, 0, width, height);
    const query = { ...settings(), width, height };
    return { picture, ...(await unpack(await ask("frame", { query, body: picture.data }))) };
  });
}

async function openFilm(file) {
  await stop();
  say(`Reading ${file.name} …`);
  const film = await (await ask("film", { body: file })).json();
  begin(film.session, file.name, 1000 / film.rate, async () => {
    const response = await ask("next", { query: settings() });
    if (response.status === 204) return null;
    const frame = await unpack(response);
    const pixels = new Uint8ClampedArray(frame.pixels);
    return { ...frame, picture: new ImageData(pixels, frame.width, frame.height) };
  });
}

function begin(session, source, interval, next) {
  Object.assign(run, { id: session, source, active: true });
  history.clear();
  byId("stop").disabled = byId("neutral").disabled = false;
  run.busy = loop(next, interval).catch(failed);
}

async function loop(next, interval) {
  const meter = new Meter();
  let due = performance.now();
  while (run.active) {
    const asked = performance.now();
    const frame = await next();
    if (!run.active) return;
    if (frame === null) {
      finish();
      say(`${run.source} has ended.`);
      return;
    }
    const now = performance.now();
    draw(frame);
    meter.add(now, now - asked, frame);
    // Never faster than the source; after a delay go on from now instead of catching up.
    due = Math.max(due + interval, now);
    await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
  }
}

async function stop() {
  if (!run.active) return;
  finish();
  await run.busy;
  say("Stopped. Start the camera or open a video.");
}

function finish() {
  run.active = false;
  run.stream?.getTracks().forEach((track) => track.stop());
  run.stream = null;
  byId("stop").disabled = byId("neutral").disabled = true;
  ask("close", { query: { session: run.id } }).catch(() => {});
}

function failed(error) {
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
  drawPicture(frame);
  drawResidual(frame);
  drawMotion(frame);
  drawClasses(frame);
  say(frame.message, frame.box ? "hint" : "problem");
}

function drawPicture({ picture, box }) {
  const canvas = byId("picture");
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  const context = canvas.getContext("2d");
  context.putImageData(picture, 0, 0);
  byId("face").textContent = box ? "" : "· no face";
  if (!box) return;
  // Light on dark, so that the frame stands out from every picture.
  context.beginPath();
  box.forEach(([x, y], corner) => context[corner ? "lineTo" : "moveTo"](x, y));
  context.closePath();
  for (const [width, colour] of [[4, "#10151acc"], [1.5, "#ffffff"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}

function drawResidual({ residual, edge, kind, group }) {
  byId("kind").textContent = kind ? `· ${kind}-frame, ${group} in its group` : "";
  if (!residual) return;
  const canvas = byId("residual");
  canvas.width = canvas.height = edge;
  const image = new ImageData(edge, edge);
  const words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < residual.length; i += 1) words[i] = 0xff000000 | (residual[i] * 0x010101);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function drawMotion({ motion, grid, edge, moving }) {
  byId("moving").textContent = motion ? `· ${moving} of ${grid * grid} blocks` : "";
  const canvas = byId("motion");
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!motion) return;
  const zoom = canvas.width / edge;
  const block = canvas.width / grid;
  const ink = getComputedStyle(document.body);
  const vectors = new Int8Array(motion.buffer, motion.byteOffset, motion.length);
  context.lineWidth = 3;
  context.lineCap = "round";
  for (let row = 0; row < grid; row += 1) {
    for (let column = 0; column < grid; column += 1) {
      const place = 2 * (row * grid + column);
      // From where the block was to where it is, three times as long as it went.
      const dx = (-vectors[place] / 4) * zoom * 3;
      const dy = (-vectors[place + 1] / 4) * zoom * 3;
      const x = (column + 0.5) * block;
      const y = (row + 0.5) * block;
      if (dx || dy) drawArrow(context, x, y, dx, dy, ink.getPropertyValue("--accent"));
      else {
        context.fillStyle = ink.getPropertyValue("--line");
        context.fillRect(x - 2, y - 2, 4, 4);
      }
    }
  }
}

function drawArrow(context, x, y, dx, dy, colour) {
  const length = Math.hypot(dx, dy);
  const head = Math.min(10, length * 0.6);
  const [ux, uy] = [(dx / length) * head, (dy / length) * head];
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + dx, y + dy);
  context.moveTo(x + dx - ux - uy * 0.7, y + dy - uy + ux * 0.7);
  context.lineTo(x + dx, y + dy);
  context.lineTo(x + dx - ux + uy * 0.7, y + dy - uy - ux * 0.7);
  context.stroke();
}

// ---------------------------------------------------------------- classes over time

function makeRows(classes) {
  run.rows = classes.map((name) => {
    const row = document.createElement("div");
    row.className = "row";
    row.innerHTML = '<span class="name"></span><span class="bar"><i></i></span>'
      + '<span class="share">–</span><canvas height="1"></canvas>';
    row.querySelector(".name").textContent = name;
    row.querySelector("canvas").setAttribute("aria-hidden", "true");
    byId("rows").append(row);
    return row;
  });
}

const history = {
  values: [], // [milliseconds, probabilities]
  clear() {
    this.values = [];
    for (const row of run.rows) paintStrip(row.querySelector("canvas"), [], 0);
  },
  add(probabilities) {
    const now = performance.now();
    this.values.push([now, probabilities]);
    while (this.values[0][0] < now - 1000 * HISTORY_SECONDS) this.values.shift();
    run.rows.forEach((row, index) => {
      const line = this.values.map(([time, values]) => [time, values?.[index] ?? null]);
      paintStrip(row.querySelector("canvas"), line, now);
    });
  },
};

// One column of colour a sample: the darker, the more probable; empty where there was no face.
function paintStrip(canvas, line, now) {
  const width = Math.max(1, canvas.clientWidth);
  if (canvas.width !== width) canvas.width = width;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, 1);
  const cell = getComputedStyle(document.body).getPropertyValue("--cell");
  const place = (time) => Math.round(width * (1 - (now - time) / (1000 * HISTORY_SECONDS)));
  line.forEach(([time, value], index) => {
    const end = index + 1 < line.length ? place(line[index + 1][0]) : width;
    if (value === null || end <= 0) return;
    context.fillStyle = `rgb(${cell} / ${value})`;
    context.fillRect(place(time), 0, end - place(time), 1);
  });
}

function drawClasses({ probabilities, label, confidence }) {
  history.add(probabilities ?? null);
  byId("verdict").textContent = label ? `· ${label}, ${Math.round(100 * confidence)} %` : "";
  run.rows.forEach((row, index) => {
    const value = probabilities?.[index] ?? 0;
    row.querySelector("i").style.transform = `scaleX(${value})`;
    row.querySelector(".share").textContent = probabilities ? `${Math.round(100 * value)} %` : "–";
    row.classList.toggle("top", Boolean(probabilities) && value === Math.max(...probabilities));
  });
}

// ---------------------------------------------------------------- measurements

class Meter {
  constructor() {
    this.samples = [];
    this.shown = 0;
  }

  // Means over the last second, renewed four times in it, so that they can be read.
  add(now, latency, frame) {
    this.samples.push({ now, latency, bits: frame.bits, ...frame.milliseconds });
    while (this.samples[0].now < now - 1000) this.samples.shift();
    if (now - this.shown < 250 || this.samples.length < 2) return;
    this.shown = now;
    const count = this.samples.length;
    const mean = (name) => this.samples.reduce((sum, one) => sum + one[name], 0) / count;
    const rate = (1000 * (count - 1)) / (now - this.samples[0].now);
    byId("latency").textContent = mean("latency").toFixed(0);
    byId("rate").textContent = rate.toFixed(1);
    byId("bits").textContent = ((mean("bits") * rate) / 1000).toFixed(0);
    for (const stage of ["face", "encode", "parse", "model"]) {
      byId(`t-${stage}`).textContent = mean(stage).toFixed(1);
    }
  }
}

// ---------------------------------------------------------------- controls

byId("camera").addEventListener("click", () => startCamera().catch(failed));
byId("stop").addEventListener("click", () => stop());
byId("neutral").addEventListener("click", () => {
  ask("neutral", { query: { session: run.id } }).catch(failed);
});
byId("open").addEventListener("click", () => byId("film").click());
byId("film").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = ""; // so that the same file can be opened again
  if (file) openFilm(file).catch(failed);
});
for (const name of ["quant", "gop"]) {
  byId(name).addEventListener("input", (event) => {
    byId(`${name}-value`).textContent = event.target.value;
  });
}
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=range])");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = { c: "camera", o: "open", n: "neutral", s: "stop" }[event.key.toLowerCase()];
  if (button) byId(button).click();
});

try {
  const about = await (await ask("about")).json();
  makeRows(about.classes);
  byId("card").textContent = about.card;
} catch (error) {
  failed(error);
}
