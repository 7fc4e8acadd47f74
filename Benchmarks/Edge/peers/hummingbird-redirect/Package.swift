// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who builds the edge builds its peer.
let package = Package(
    name: "redirect",
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", exact: "2.28.1")
    ],
    targets: [
        .executableTarget(
            name: "Redirect", dependencies: [.product(name: "Hummingbird", package: "hummingbird")])
    ],
    swiftLanguageModes: [.v6]
)
