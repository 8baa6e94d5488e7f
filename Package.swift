// swift-tools-version:6.2
import PackageDescription

let strict: [SwiftSetting] = [
    // `any` marks every existential, so dynamic dispatch is visible.
    .enableUpcomingFeature("ExistentialAny"),
    // A file may only use what it imports itself.
    .enableUpcomingFeature("MemberImportVisibility"),
    // `public import` marks what leaks into an interface.
    .enableUpcomingFeature("InternalImportsByDefault"),
    // Every unsafe expression is marked `unsafe`; DiscoveryCore has none.
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "discovery",
    products: [
        .executable(name: "discovery", targets: ["Discovery"]),
        .library(name: "DiscoveryClient", targets: ["DiscoveryClient"]),
        // Preloaded into a server to count its allocations; nothing links it.
        .library(name: "bench-malloc-count", type: .dynamic, targets: ["BenchMallocCount"]),
    ],
    dependencies: [
        // Commands, flags, --help and shell completions.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Log lines with levels and fields.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        // TOML: the configuration file of the reference is TOML.
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        // The network of the client library; the server links none of it.
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        // The client library is a service of the program that uses it.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // Latency percentiles of the load generator.
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // libevent_extra holds evhttp; the module map adds event_core. Never link plain `event`
        // too: on Debian it is a second copy of the same library.
        .systemLibrary(
            name: "CLibevent", pkgConfig: "libevent_extra", providers: [.apt(["libevent-dev"])]),

        // The domain: pure, deterministic, no imports.
        .target(name: "DiscoveryCore", path: "Sources/Discovery/Core", swiftSettings: strict),
        // Bytes <-> Core values. Foundation only to read JSON.
        .target(
            name: "DiscoveryWire", dependencies: ["DiscoveryCore"], path: "Sources/Discovery/Wire",
            swiftSettings: strict),
        // HTTP over libevent: the only target that may import CLibevent. Knows no registry word.
        .target(
            name: "DiscoveryHTTP", dependencies: ["CLibevent"], path: "Sources/Discovery/HTTP",
            swiftSettings: strict),
        // Configuration, the serial queue, wiring, commands.
        .executableTarget(
            name: "Discovery",
            dependencies: [
                "DiscoveryCore", "DiscoveryWire", "DiscoveryHTTP",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            path: "Sources/Discovery/Server", swiftSettings: strict),

        // The SDK for Swift programs. Takes from Core how requests are shared out, from Wire JSON.
        .target(
            name: "DiscoveryClient",
            dependencies: [
                "DiscoveryCore", "DiscoveryWire",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Discovery/Client", swiftSettings: strict),

        // Whole clusters of Core's nodes in one thread, with network and clients, from a seed.
        .target(
            name: "Simulator", dependencies: ["DiscoveryCore"], path: "Tests/Simulator",
            swiftSettings: strict),
        .executableTarget(
            name: "simulate",
            dependencies: [
                "Simulator", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Simulate", swiftSettings: strict),

        .testTarget(name: "CoreTests", dependencies: ["DiscoveryCore"], swiftSettings: strict),
        .testTarget(
            name: "WireTests", dependencies: ["DiscoveryWire", "DiscoveryCore"],
            swiftSettings: strict),
        .testTarget(name: "HTTPTests", dependencies: ["DiscoveryHTTP"], swiftSettings: strict),
        .testTarget(
            name: "ClusterTests", dependencies: ["Simulator", "DiscoveryCore"],
            swiftSettings: strict),
        // Fixtures are read from where they are: no bundle.
        .testTarget(
            name: "ServerTests", dependencies: ["Discovery", "DiscoveryClient"],
            exclude: ["Fixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "ClientTests",
            dependencies: [
                "DiscoveryClient", .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
        // The program of the README, compiled as a user would.
        .executableTarget(
            name: "client-example",
            dependencies: [
                "DiscoveryClient", .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Tests/ClientExample", swiftSettings: [.treatAllWarnings(as: .error)]),

        // The repository's own rules, as tests.
        .testTarget(name: "TidyTests", swiftSettings: strict),

        // The yardstick of every figure: evhttp, one callback, fixed bytes, nothing else.
        .executableTarget(
            name: "bench-baseline", path: "bench/Baseline",
            linkerSettings: [.linkedLibrary("event_core"), .linkedLibrary("event_extra")]),
        // Counts allocations of a running server.
        .target(name: "BenchMallocCount", path: "bench/MallocCount"),
        // fork with settings, CPU pinning, epoll: system calls of the load generator.
        .target(name: "BenchSupport", path: "bench/Support"),
        // The load generator and the side-by-side report.
        .executableTarget(
            name: "bench-load",
            dependencies: [
                "BenchSupport", .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "bench/Load", swiftSettings: strict),
    ]
)
