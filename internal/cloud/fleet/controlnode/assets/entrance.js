// Who looks at the page, and what they may do: see, sign in, invalidate.
import { $, el, plural, send, set, text } from './dom.js';
import * as distributions from './distributions.js';

let before = ''; // the session's last state
let offered = ''; // the distributions that can be chosen

// show puts out what the session allows, and says whether the state of the fleet may be asked for.
export function show(session) {
  const visible = session.open || session.signed_in;
  const now = JSON.stringify(session);
  if (now === before) return visible;
  before = now;
  for (const part of [$('state'), $('distributions'), ...document.querySelectorAll('[data-needs="state"]')]) set(part, { hidden: !visible });
  set($('invalidate'), { hidden: false });
  set($('columns'), { class: visible ? 'columns' : 'columns alone' });
  set($('impossible'), { hidden: session.possible });
  set($('sign-in'), { hidden: !session.possible || session.signed_in });
  set($('invalidate-form'), { hidden: !session.signed_in });
  set($('sign-out'), { hidden: !session.signed_in });
  text($('invalidate-title'), visible ? 'Invalidate' : 'Sign in');
  text($('sign-in-why'), visible ? 'Sign in with the API’s keys to invalidate.' : 'Sign in with the API’s keys to see this fleet.');
  if (!visible) forget();
  return visible;
}

// forget takes away what was seen.
function forget() {
  distributions.forget();
  for (const id of ['serving', 'applied', 'completed', 'lag', 'ratio', 'node', 'invalidate-done', 'invalidate-wrong']) text($(id), '');
  for (const id of ['edge-list', 'distribution']) $(id).replaceChildren();
  [offered, $('paths').value] = ['', ''];
}

// offer lists the distributions to choose from.
export function offer(list) {
  const now = list.map((d) => d.id + ' ' + d.domain);
  if (now.join() === offered) return;
  offered = now.join();
  const chosen = $('distribution').value;
  $('distribution').replaceChildren(...list.map((d, n) => el('option', { value: d.id }, now[n])));
  if (list.some((d) => d.id === chosen)) $('distribution').value = chosen;
}

// during keeps a button from being pressed twice.
async function during(form, work) {
  const button = form.querySelector('button');
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.disabled = false;
  }
}

async function signIn(look) {
  text($('sign-in-answer'), '');
  try {
    await send('/api/sign-in', { access_key_id: $('key').value.trim(), secret_access_key: $('secret').value.trim() });
    $('sign-in').reset();
    await look();
    $('paths').focus();
  } catch (err) {
    text($('sign-in-answer'), err.message);
    $('secret').focus();
    $('secret').select();
  }
}

async function signOut(look) {
  await send('/api/sign-out', {}).catch(() => {}); // who is not signed in any more has what they want
  await look();
  $('main').focus();
}

async function invalidate(look) {
  text($('invalidate-wrong'), '');
  text($('invalidate-done'), '');
  const paths = $('paths').value.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  try {
    const made = await send('/api/invalidate', { distribution: $('distribution').value, paths });
    text($('invalidate-done'), made.id + ': ' + plural(made.count, 'path') + ' accepted. It is Completed once every edge has applied it.');
    $('paths').value = '';
  } catch (err) {
    text($('invalidate-wrong'), err.message);
  }
  await look();
}

export function start(look) {
  for (const [id, work] of [['sign-in', signIn], ['invalidate-form', invalidate]]) {
    $(id).addEventListener('submit', (e) => {
      e.preventDefault();
      during($(id), () => work(look));
    });
  }
  $('sign-out').addEventListener('click', () => signOut(look));
}
