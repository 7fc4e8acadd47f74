// swift-tools-version: 6.2
import PackageDescription

// An edge host builds Edge and Ingest alone, in seconds and without one third-party package:
//   GONGGUMOA_EDGE_ONLY=1 swift build --scratch-path .build-edge
// The same switch runs the tests of everything below the API.
let edgeOnly = Context.environment["GONGGUMOA_EDGE_ONLY"] != nil
// The fuzzers' program has no `main` but libFuzzer's, so that only scripts/fuzz can link it.
let fuzzing = Context.environment["GONGGUMOA_FUZZ"] != nil

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
]

func core(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil)
    -> Target
{
    .target(
        name: name, dependencies: dependencies, path: "Sources/Core/\(name)",
        resources: resources, swiftSettings: strict)
}

func systemLibrary(_ name: String, pkgConfig: String?, apt: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/Core/CLibraries/\(name)", pkgConfig: pkgConfig,
        providers: [.apt([apt])])
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], path: "Tests/\(name)",
        exclude: exclude, swiftSettings: strict)
}

let cLibraries: [Target] = [
    // What Swift's Glibc module does not show: epoll, eventfd, inotify, signalfd, accept4.
    .target(name: "CLinux", path: "Sources/Core/CLibraries/CLinux"),
    // One function, compiled for the processor's CRC instruction.
    .target(name: "CChecksum", path: "Sources/Core/CLibraries/CChecksum"),
    // One function, for tables larger than the caches.
    .target(name: "CPrefetch", path: "Sources/Core/CLibraries/CPrefetch"),
    // For identifiers and addresses: by AVX2 or in loops, chosen when the process starts.
    .target(name: "CTexts", path: "Sources/Core/CLibraries/CTexts"),
    // Static inline functions of SSE2, and two of AVX2 where there is that, for the parser.
    .target(name: "CScan", path: "Sources/Core/CLibraries/CScan"),
    systemLibrary("CPostgres", pkgConfig: "libpq", apt: "libpq-dev"),
    // No pkgConfig: its flags define _FILE_OFFSET_BITS, which SwiftPM warns about on each build.
    systemLibrary("CHiredis", pkgConfig: nil, apt: "libhiredis-dev"),
    // No pkgConfig: the headers and libraries are where the compiler looks anyway.
    systemLibrary("COpenSSL", pkgConfig: nil, apt: "libssl-dev"),
    // No pkgConfig: the header is where the compiler looks anyway.
    systemLibrary("CMaxMindDB", pkgConfig: nil, apt: "libmaxminddb-dev"),
    // No pkgConfig: the header is where the compiler looks anyway.
    systemLibrary("CZlib", pkgConfig: nil, apt: "zlib1g-dev"),
    // No pkgConfig: the header is where the compiler looks anyway.
    systemLibrary("CCurl", pkgConfig: nil, apt: "libcurl4-openssl-dev"),
    systemLibrary("CCrypt", pkgConfig: "libcrypt", apt: "libcrypt-dev"),
]

// What only the API needs, so that an edge host need not have it.
let apiLibraries: [Target] =
    edgeOnly
    ? []
    : [
        // No pkgConfig: the header is where the compiler looks anyway.
        systemLibrary("CXLSXWriter", pkgConfig: nil, apt: "libxlsxwriter-dev"),
        core("Workbook", ["CXLSXWriter"]),
        // No pkgConfig for both: the headers are where the compiler looks anyway.
        systemLibrary("CQRencode", pkgConfig: nil, apt: "libqrencode-dev"),
        systemLibrary("CPNG", pkgConfig: nil, apt: "libpng-dev"),
        core("QRCode", ["CQRencode", "CPNG"]),
        systemLibrary("CVips", pkgConfig: "vips", apt: "libvips-dev"),
    ]

let coreLibraries: [Target] = [
    core("Clicks", ["CPrefetch", "CTexts"]),
    core("Wire", ["Clicks", "CScan"]),
    core("Judging", ["Clicks"], resources: [.embedInCode("Data")]),
    core("Guards", ["Clicks"]),
    core("Linux", ["CLinux"]),
    core("TLS", ["COpenSSL"]),
    core("GeoIP", ["CMaxMindDB"]),
    core("Gzip", ["CZlib", "Linux"]),
    core("ObjectStore", ["CCurl", "Linux", "TLS"]),
    core("Settings"),
    core("Admin", ["Linux", "Wire"]),
    core("Checksum", ["CChecksum"]),
    core("Spool", ["Clicks", "Linux", "Checksum"]),
    core("Links", ["Clicks", "Linux", "Checksum"]),
    core("Postgres", ["CPostgres", "Linux"]),
    core("Redis", ["CHiredis", "Linux"]),
    core("Schema", ["Postgres"], resources: [.embedInCode("Migrations")]),
]

let edgeNeeds: [Target.Dependency] = [
    "Admin", "Clicks", "Wire", "Judging", "Guards", "Spool", "Links", "Linux", "Settings", "TLS",
]

let executables: [Target] = [
    // A program cannot be linked into another one, except into tests.
    fuzzing
        ? .target(
            name: "Edge", dependencies: edgeNeeds, path: "Sources/Edge",
            exclude: ["EdgeMain.swift"], swiftSettings: strict)
        : .executableTarget(
            name: "Edge", dependencies: edgeNeeds, path: "Sources/Edge", swiftSettings: strict),
    .executableTarget(
        name: "Ingest",
        dependencies: [
            "Admin", "Clicks", "GeoIP", "Gzip", "Judging", "Spool", "Links", "Linux", "ObjectStore",
            "Postgres", "Redis", "Schema", "Settings", "TLS",
        ],
        path: "Sources/Ingest", swiftSettings: strict),
    // Makes the links files that scripts/bench serves; no product.
    .executableTarget(
        name: "EdgeBench", dependencies: ["Clicks", "Links"], path: "Benchmarks/Edge/tool",
        swiftSettings: strict),
    // Makes the spool that scripts/bench drains, and the schema; no product.
    .executableTarget(
        name: "IngestBench", dependencies: ["Clicks", "Linux", "Postgres", "Schema", "Spool"],
        path: "Benchmarks/Ingest/tool", swiftSettings: strict),
    // Changes links and asks an edge for them, for scripts/bench; no product.
    .executableTarget(
        name: "LinksBench", dependencies: ["Linux", "Postgres", "Schema"],
        path: "Benchmarks/Links/tool", swiftSettings: strict),
]

let api: [Target] =
    edgeOnly
    ? []
    : [
        // Decodes strangers' images for the API, in a process of its own; nothing else links vips.
        .executableTarget(
            name: "Thumbnailer", dependencies: ["CVips", "Linux"], path: "Sources/Thumbnailer",
            swiftSettings: strict),
        .executableTarget(
            name: "API",
            dependencies: [
                "Clicks", "Guards", "Judging", "Postgres", "Schema", "Redis", "Settings",
                "Workbook", "QRCode", "CCrypt", "Linux", "ObjectStore",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "JWTKit", package: "jwt-kit"),
                // Comes with jwt-kit; named since settlements hash and seal with it.
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ],
            path: "Sources/API", swiftSettings: strict),
        tests("QRCodeTests", ["QRCode"]),
        tests(
            "APITests",
            ["API", "Linux", .product(name: "HummingbirdTesting", package: "hummingbird")]),
    ]

let testTargets: [Target] = [
    .target(
        name: "TestSupport", dependencies: ["Postgres", "Schema", "Linux"],
        path: "Tests/Support", swiftSettings: strict),
    // Kills the real processes at every step, and checks the books; scripts/soak is its long run.
    .target(
        name: "Deaths",
        dependencies: ["TestSupport", "Clicks", "Linux", "Postgres", "Schema", "Spool"],
        path: "Tests/Deaths/Harness", swiftSettings: strict),
    .executableTarget(
        name: "Soak", dependencies: ["Deaths", "TestSupport", "Linux"],
        path: "Tests/Deaths/Soak", swiftSettings: strict),
    .testTarget(
        name: "DeathTests", dependencies: ["Deaths", "TestSupport", "Linux"],
        path: "Tests/Deaths/Claims", swiftSettings: strict),
    // Killed in the middle of changing a shared table, by the test that looks at the table then.
    .executableTarget(
        name: "TableProbe", dependencies: ["Clicks", "Guards", "Linux"],
        path: "Tests/Probes/TableProbe", swiftSettings: strict),
    .target(
        name: "FuzzProperties",
        dependencies: ["Clicks", "Wire", "Judging", "Spool", "Links", "Linux", "Checksum", "TLS"],
        path: "Tests/Fuzz/Properties", swiftSettings: strict),
    .target(
        name: "FuzzDesk",
        dependencies: [
            "FuzzProperties", "Edge", "Clicks", "Guards", "Links", "Linux", "Settings", "Spool",
        ],
        path: "Tests/Fuzz/Desk", swiftSettings: strict),
    tests("FuzzTests", ["FuzzDesk", "FuzzProperties", "Linux"]),
    tests("ClicksTests", ["Clicks"]),
    tests("WireTests", ["Wire", "Clicks", "TLS", "FuzzProperties"]),
    tests("JudgingTests", ["Judging", "Clicks", "FuzzProperties"], exclude: ["Agents"]),
    tests("GuardsTests", ["Guards", "Clicks", "Linux", "TableProbe"]),
    tests("LinuxTests", ["Linux"]),
    tests("TLSTests", ["TLS", "Linux"]),
    tests("GeoIPTests", ["GeoIP", "Linux"]),
    tests("GzipTests", ["Gzip", "Linux"]),
    tests("ObjectStoreTests", ["ObjectStore", "Linux"]),
    tests("SettingsTests", ["Settings"]),
    tests("AdminTests", ["Admin", "Linux"]),
    tests("ChecksumTests", ["Checksum"]),
    tests("SpoolTests", ["Spool", "Clicks", "Linux", "Checksum"], exclude: ["Golden"]),
    tests("LinksTests", ["Links", "Clicks", "Linux", "Checksum"], exclude: ["Golden"]),
    tests("PostgresTests", ["Postgres"]),
    tests("RedisTests", ["Redis"]),
    tests("SchemaTests", ["Schema", "Postgres"]),
    tests(
        "EdgeTests",
        ["Edge", "Clicks", "Guards", "Judging", "Spool", "Links", "Linux", "Settings", "TLS"]),
    tests(
        "IngestTests",
        [
            "Ingest", "Clicks", "GeoIP", "Gzip", "Judging", "Spool", "Links", "Linux",
            "ObjectStore", "Postgres", "Redis", "Schema", "Settings", "TLS",
        ]),
    tests(
        "PipelineTests", ["Clicks", "Spool", "Links", "Linux", "Postgres", "Schema"],
        exclude: edgeOnly ? ["APIPipelineTests.swift", "ReadmeTests.swift"] : []),
    tests("TidyTests", []),
]

let fuzzers: [Target] =
    fuzzing
    ? [
        .executableTarget(
            name: "Fuzz", dependencies: ["FuzzDesk", "FuzzProperties"], path: "Tests/Fuzz/Entry",
            swiftSettings: strict)
    ] : []

let package = Package(
    name: "gonggumoa",
    products: (fuzzing ? [] : [.executable(name: "Edge", targets: ["Edge"])]) + [
        .executable(name: "Ingest", targets: ["Ingest"])
    ]
        + (edgeOnly
            ? []
            : [
                .executable(name: "API", targets: ["API"]),
                .executable(name: "Thumbnailer", targets: ["Thumbnailer"]),
            ]),
    dependencies: edgeOnly
        ? []
        : [
            .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
            .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.1"),
            .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
            .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
            // What the API asks of other people's servers.
            .package(
                url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        ],
    targets: cLibraries + coreLibraries + apiLibraries + executables + api + testTargets + fuzzers,
    swiftLanguageModes: [.v6]
)
