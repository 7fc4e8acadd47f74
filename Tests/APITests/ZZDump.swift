import Foundation
import Testing
@testable import API
@Suite struct ZZDump { @Test func dump() throws {
  let text = APIServer.statements.map { "\($0.name)\t\($0.sql.replacing("\n", with: " "))" }.joined(separator: "\n")
  try text.write(toFile: "/tmp/market-statements.tsv", atomically: true, encoding: .utf8)
} }
