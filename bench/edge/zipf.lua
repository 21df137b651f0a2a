-- wrk script: GET /s/SIZE/K, K one of 1,000 drawn with weight 1/rank^0.9. SIZE comes from the environment.
-- done() prints one line for the measurement to read.
local size = os.getenv("SIZE")
local count, exponent, drawn = 1000, 0.9, 32768
local sequence, at = {}, 0

function init(args)
  math.randomseed(42)
  local requests, cumulated, sum = {}, {}, 0
  for k = 1, count do
    sum = sum + 1 / k ^ exponent
    cumulated[k] = sum
    requests[k] = wrk.format("GET", "/s/" .. size .. "/" .. k, { Host = "edge.test", ["User-Agent"] = "wrk" })
  end
  for i = 1, drawn do
    local x, low, high = math.random() * sum, 1, count
    while low < high do
      local middle = math.floor((low + high) / 2)
      if cumulated[middle] < x then low = middle + 1 else high = middle end
    end
    sequence[i] = requests[low]
  end
end

function request()
  at = at % drawn + 1
  return sequence[at]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
