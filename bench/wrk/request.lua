-- Arguments: method, path, file with the body (or "-"), then name:low:high:form for each variable.
local method, path, body
local variables = {}
local threads = {}

function setup(thread)
  thread:set("seed", os.time() + #threads)
  table.insert(threads, thread)
end

function init(arguments)
  math.randomseed(seed)
  method, path = arguments[1], arguments[2]
  if arguments[3] ~= "-" then
    local file = assert(io.open(arguments[3], "r"))
    body = file:read("*a")
    file:close()
  end
  for index = 4, #arguments do
    local name, low, high, form = arguments[index]:match("^(%w+):(%d+):(%d+):(.+)$")
    variables[name] = { tonumber(low), tonumber(high), form }
  end
end

function request()
  local values = {}
  for name, variable in pairs(variables) do
    values[name] = variable[3]:format(math.random(variable[1], variable[2]))
  end
  return wrk.format(method, path:gsub("<(%w+)>", values), nil, body and body:gsub("<(%w+)>", values))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("summary %d %d %d %d\n", summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
  io.write(string.format("latency %d %d\n", latency:percentile(50), latency:percentile(99)))
end
