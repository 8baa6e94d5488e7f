import DiscoveryClient
import Foundation
import Logging
import ServiceLifecycle

/// Registers itself as `shop`, and follows the instances of `stock`.
@main
struct Shop: Service {
    let discovery: DiscoveryClient

    static func main() async throws {
        let logger = Logger(label: "shop")
        let discovery = try DiscoveryClient(
            ClientConfiguration(environment: ProcessInfo.processInfo.environment), logger: logger)
        // They end in reverse order: what is registered goes before the program that serves it.
        let group = ServiceGroup(
            services: [Shop(discovery: discovery), discovery],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }

    func run() async throws {
        try await discovery.register(
            Registration(appID: "shop", addresses: ["http://127.0.0.1:8080"]))
        let stock = await discovery.picker(for: "stock", Picker.Options(scheme: "http"))
        for await list in discovery.instances(of: "stock").cancelOnGracefulShutdown() {
            print("\(list.instances.count) of stock, next is \(stock.pick()?.url ?? "nobody")")
        }
    }
}
