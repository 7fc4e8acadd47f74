-- What wrk sends, by the row it is told: `wrk … -s requests.lua URL -- ROW GONGGUS USERS TOKEN PERIOD`.
-- PERIOD is how many ms lie between two requests of a connection on average, 0 for none; the times
-- between are random, so that connections do not fall into step.

local row, gonggus, users, token, period, seed
local words = { "여름공구특가", "캠핑텐트", "제주감귤", "신생아분유", "무선로봇청소기", "겨울매트" }
local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("number", threads)
end

local function escaped(text)
    return (text:gsub("[^%w]", function(byte) return string.format("%%%02X", byte:byte()) end))
end

function init(arguments)
    row, gonggus, users, token = arguments[1], tonumber(arguments[2]), tonumber(arguments[3]),
        arguments[4]
    period = tonumber(arguments[5])
    math.randomseed(number * 7919)
    for index, word in ipairs(words) do words[index] = escaped(word) end
    wrk.headers["Accept"] = "application/json"
    if row == "create" then
        wrk.headers["Authorization"] = "Bearer " .. token
    end
    if row == "create" or row == "login" then
        wrk.headers["Content-Type"] = "application/json"
    end
end

local rows = {}

function rows.list()
    return wrk.format("GET", "/api/v1/gonggus?size=20&page=" .. math.random(1, 50))
end

function rows.detail()
    return wrk.format(
        "GET", string.format("/api/v1/gonggus/00000000-0000-4000-9000-%012x",
            math.random(0, gonggus - 1)))
end

function rows.search()
    return wrk.format("GET", "/api/v1/search?size=20&type=gonggu&q=" .. words[math.random(#words)])
end

function rows.create()
    return wrk.format("POST", "/api/v1/gonggus", nil, string.format(
        '{"title":"무선청소기 %d","description":"오늘만 이 값입니다","original_price":299000,' ..
            '"gonggu_price":199000,"open_at":"2030-01-01T00:00:00+09:00",' ..
            '"close_at":"2030-01-08T00:00:00+09:00",' ..
            '"external_url":"https://shop.example.com/items/1",' ..
            '"category_ids":["00000000-0000-4000-a000-%012x"]}',
        math.random(1, 1000000), math.random(11, 100)))
end

function rows.login()
    return wrk.format("POST", "/api/v1/auth/login", nil, string.format(
        '{"email":"member-%d@example.com","password":"correct horse battery"}',
        math.random(1, users)))
end

function request()
    return rows[row]()
end

function delay()
    return period == 0 and 0 or math.random() * 2 * period
end

local function field(name, value) io.write(" ", name, "=", value) end

function done(summary, latency)
    local errors = summary.errors
    field("requests", summary.requests)
    field("rate", string.format("%.1f", summary.requests / summary.duration * 1e6))
    field("p50_us", string.format("%d", latency:percentile(50)))
    field("p99_us", string.format("%d", latency:percentile(99)))
    field("failed", errors.connect + errors.read + errors.write + errors.status + errors.timeout)
    io.write("\n")
end
