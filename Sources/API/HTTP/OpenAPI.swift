import HTTPTypes
import Hummingbird

extension RouteTable {
    /// Adds `/openapi.json` and `/docs`.
    mutating func addDocument(of table: RouteTable) {}
}
