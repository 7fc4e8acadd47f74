import Redis
import Testing

@Suite struct RedisEndpointTests {
    @Test(arguments: [
        ("redis://localhost", "localhost:6379", "", "", 0),
        ("redis://127.0.0.1:6400/3", "127.0.0.1:6400", "", "", 3),
        ("redis://:p%40ss%2F@h:1/", "h:1", "", "p@ss/", 0),
        ("redis://user:a:b@h/2", "h:6379", "user", "a:b", 2),
        ("redis://[::1]:7000/0", "::1:7000", "", "", 0),
        ("redis://[::1]", "::1:6379", "", "", 0),
        ("unix:///run/redis.sock?db=4", "/run/redis.sock", "", "", 4),
        ("redis+unix:///run/redis.sock", "/run/redis.sock", "", "", 0),
        ("unix://:secret@/run/r", "/run/r", "", "secret", 0),
    ])
    func `a URL is read`(
        url: String, address: String, user: String, password: String, database: Int
    ) throws {
        let endpoint = try #require(RedisEndpoint(url: url))
        switch endpoint.address {
        case .tcp(let host, let port): #expect("\(host):\(port)" == address)
        case .unix(let path): #expect(path == address)
        }
        #expect(endpoint.user == user)
        #expect(endpoint.password == password)
        #expect(endpoint.database == database)
    }

    @Test(arguments: [
        "", "localhost", "rediss://h", "http://h", "redis://", "redis://h:0", "redis://h:65536",
        "redis://h:x", "redis://h/x", "redis://h/-1", "redis://:%zz@h", "redis://:%4@h",
        "redis://h?x=1", "unix://host/path", "unix://", "unix:///", "unix:///p?db=x",
    ])
    func `what is no Redis URL is refused without repeating it`(url: String) {
        #expect(RedisEndpoint(url: url) == nil)
        let error = #expect(throws: RedisError.self) { _ = try RedisConnection(url: url) }
        #expect(error?.kind == .url)
        #expect(error?.message.contains("%") == false)
    }
}
