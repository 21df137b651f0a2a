// node conformance.mjs SUITE RESULTS.json REQUIRED OPTIMAL
//
// Counts the results of http-cache-tests by kind, as the suite's own pages do:
// with its determineTestResult, so a test whose dependency failed is no pass,
// and a failed setup is neither pass nor fail. Lists every required and optimal
// test that is no pass, and exits 1 below the floors REQUIRED and OPTIMAL.
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [suite, file, ...floors] = process.argv.slice(2)
const load = name => import(pathToFileURL(path.resolve(suite, name)).href)
const { determineTestResult } = await load('lib/display.mjs')
const groups = (await load('tests/index.mjs')).default
groups.push((await load('tests/surrogate-control.mjs')).default) // as the suite's cli.mjs does
const results = JSON.parse(fs.readFileSync(file, 'utf8'))

// The third member of a result is what the suite's command line prints for it.
const names = {
  '-': 'untested', '✅': 'pass', '⛔️': 'fail', '⚠️': 'fail', Y: 'yes', N: 'no',
  '🔹': 'setup failed', '⁉️': 'harness failed', '⚪️': 'dependency failed', '↻': 'retried'
}
const counts = { required: {}, optimal: {}, check: {} }
const missed = []
for (const test of groups.flatMap(group => group.tests)) {
  const kind = test.kind ?? 'required'
  const result = names[determineTestResult(groups, test.id, results)[2]]
  if (result === undefined) throw new Error(`unknown result of ${test.id}`)
  if (result === 'untested') continue // for browsers only
  counts[kind].total = (counts[kind].total ?? 0) + 1
  counts[kind][result] = (counts[kind][result] ?? 0) + 1
  if (kind !== 'check' && result !== 'pass') {
    const why = Array.isArray(results[test.id]) ? results[test.id][1] : ''
    missed.push(`  ${kind} ${test.id}: ${result}: ${why}`)
  }
}

console.log(missed.sort().join('\n'))
let low = false
for (const [kind, good, floor] of [['required', 'pass', floors[0]], ['optimal', 'pass', floors[1]], ['check', 'yes', 0]]) {
  const { total = 0, [good]: n = 0, ...rest } = counts[kind]
  const others = Object.entries(rest).map(([name, m]) => `${m} ${name}`).join(', ')
  console.log(`${kind}: ${n} of ${total} ${good} (${others || 'no other'})`)
  if (n < Number(floor) || total === 0) {
    console.log(`${kind}: below the floor of ${floor}`)
    low = true
  }
}
process.exit(low ? 1 : 0)
