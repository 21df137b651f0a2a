// The fleet's state, asked for each second.
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

function cell(text, className) {
  const td = document.createElement("td");
  if (className) td.className = className;
  td.textContent = text;
  return td;
}

function state(word) {
  const td = document.createElement("td");
  const mark = document.createElement("span");
  mark.className = "state";
  mark.dataset.state = word;
  mark.textContent = word;
  td.append(mark);
  return td;
}

function ago(seconds) {
  return seconds < 60 ? `${seconds.toFixed(1)} s ago` : `${Math.round(seconds / 60)} min ago`;
}

function row(edge) {
  const tr = document.createElement("tr");
  tr.append(
    cell(edge.name), state(edge.state), cell(edge.state === "ended" ? "" : number.format(edge.lag), "n"), cell(ago(edge.renewed), "n"),
    cell(number.format(edge.fenced), "n"), cell(number.format(edge.requests), "n"),
    cell(edge.requests ? `${((100 * edge.hits) / edge.requests).toFixed(1)} %` : "", "n"), cell(edge.address || ""), cell(edge.version));
  return tr;
}

function show(fleet) {
  const serving = fleet.edges.filter((e) => e.state === "serving");
  const sum = (name) => serving.reduce((all, e) => all + e[name], 0);
  $("serving").textContent = number.format(serving.length);
  $("applied").textContent = number.format(fleet.applied);
  $("completed").textContent = number.format(fleet.completed);
  $("lag").textContent = number.format(Math.max(0, ...serving.map((e) => e.lag)));
  $("ratio").textContent = sum("requests") ? `${((100 * sum("hits")) / sum("requests")).toFixed(1)} %` : "–";
  $("node").textContent = `${fleet.node} ${fleet.version}`;
  $("quorum").hidden = fleet.reached;
  $("none").hidden = fleet.edges.length > 0;
  $("edges").replaceChildren(...fleet.edges.map(row));
}

async function look() {
  try {
    const answer = await fetch("/api/fleet", { signal: AbortSignal.timeout(3000) });
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
    $("live").dataset.state = "live";
    $("live").textContent = "live";
  } catch {
    $("live").dataset.state = "away";
    $("live").textContent = "the control node does not answer";
  }
  setTimeout(look, 1000);
}

look();
