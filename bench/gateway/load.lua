-- What wrk sends: one body, tokens in turn from one of them on; at the end it says one line of JSON.
local tokens, turn = {}, 0
local threads = {}

-- What was answered that is no 200: status, code and message, and how often. Another thread reads it.
refusals = {}

-- As many as one run sends at most: of a hundred thousand, the others are not read.
local MOST = 20000

local function read(path, from)
  local number = 0
  for line in io.lines(path) do
    number = number + 1
    if number > from then
      tokens[#tokens + 1] = "Bearer " .. line
      if #tokens == MOST then return end
    end
  end
  if from >= number then return read(path, from % number) end
  -- After the last one comes the first one again.
  for line in io.lines(path) do
    if from == 0 or #tokens == MOST then return end
    tokens[#tokens + 1] = "Bearer " .. line
    from = from - 1
  end
end

function setup(thread)
  threads[#threads + 1] = thread
end

local function note(status, _, body)
  if status == 200 then return end
  local code = body:match('"code": ?"([^"]*)"') or "no code"
  local message = body:match('"message": ?"([^"]*)"') or ""
  local told = status .. " " .. code .. ": " .. message
  refusals[told] = (refusals[told] or 0) + 1
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.body = file:read("*a")
  file:close()
  read(args[2], tonumber(args[4] or "0"))
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  if args[3] and args[3] ~= "-" then wrk.headers["Host"] = args[3] end
  if #tokens == 1 then wrk.headers["Authorization"] = tokens[1] end
  -- Where answers are looked at, the load takes longer for each: only of those it is much slower than.
  if args[5] == "looked at" then response = note end
end

function request()
  if #tokens > 1 then
    turn = turn % #tokens + 1
    wrk.headers["Authorization"] = tokens[turn]
  end
  return wrk.format()
end

function done(summary, latency, requests)
  local errors, failed, kinds = summary.errors, 0, {}
  for _, kind in ipairs({ "connect", "read", "write", "status", "timeout" }) do
    failed = failed + errors[kind]
    if errors[kind] > 0 then kinds[#kinds + 1] = errors[kind] .. " by " .. kind end
  end
  for _, thread in ipairs(threads) do
    for told, times in pairs(thread:get("refusals")) do
      kinds[#kinds + 1] = times .. " times " .. told:gsub('[%c"\\]', " ")
    end
  end
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"failed":%d,"how":"%s","p50":%f,"p99":%f}\n',
    summary.requests, summary.duration / 1e6, failed, table.concat(kinds, ", "),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
