-- What wrk sends: one body, tokens in turn from one of them on; at the end it says one line of JSON.
local bodies, tokens, turn = {}, {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.body = file:read("*a")
  file:close()
  for line in io.lines(args[2]) do tokens[#tokens + 1] = "Bearer " .. line end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  if args[3] and args[3] ~= "-" then wrk.headers["Host"] = args[3] end
  turn = tonumber(args[4] or "0")
  if #tokens == 1 then wrk.headers["Authorization"] = tokens[1] end
end

function request()
  if #tokens > 1 then
    turn = turn % #tokens + 1
    wrk.headers["Authorization"] = tokens[turn]
  end
  return wrk.format()
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"failed":%d,"p50":%f,"p99":%f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
