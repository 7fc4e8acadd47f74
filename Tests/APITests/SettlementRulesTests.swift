import Clicks
import Testing

@testable import API

@Suite struct SettlementRulesTests {
    private static let rates = TaxRates(
        income: TaxRate(basisPoints: 300, roundingWon: 10),
        local: TaxRate(basisPoints: 1000, roundingWon: 10),
        vat: TaxRate(basisPoints: 1000, roundingWon: 1))

    @Test(arguments: [
        (1_000_000, 30_000, 3000, 967_000), (2_156_880, 64_700, 6470, 2_085_710),
        (3_333_333, 99_990, 9990, 3_223_353), (30_000, 900, 90, 29_010), (334, 10, 0, 324),
        (333, 0, 0, 333), (1, 0, 0, 1), (50_000, 1500, 150, 48_350),
    ])
    func `an individual's tax is cut twice, to the ten won`(
        gross: Int, income: Int, local: Int, net: Int
    ) {
        let parts = SettlementRules.parts(of: gross, to: .individual, rates: Self.rates)
        #expect(parts == PaymentParts(gross: gross, incomeTax: income, localTax: local))
        #expect(parts.paid == net)
    }

    @Test func `the formula is the law's for every amount`() {
        for gross in Array(0...20_000) + stride(from: 20_001, to: 90_000_000, by: 9973) {
            let parts = SettlementRules.parts(of: gross, to: .individual, rates: Self.rates)
            #expect(parts.incomeTax == gross * 3 / 1000 * 10)
            #expect(parts.localTax == parts.incomeTax / 100 * 10)
        }
    }

    @Test func `two payments on one day are taxed as their sum`() {
        var seed: UInt64 = 1
        for _ in 0..<2000 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let first = Int(seed >> 40) % 1_000_000, second = Int(seed >> 20 & 0xFFFFF)
            let one = SettlementRules.parts(of: first, to: .individual, rates: Self.rates)
            let two = SettlementRules.parts(
                of: second, to: .individual, rates: Self.rates, earlierThatDay: one)
            let both = SettlementRules.parts(
                of: first + second, to: .individual, rates: Self.rates)
            #expect(one.incomeTax + two.incomeTax == both.incomeTax)
            #expect(one.localTax + two.localTax == both.localTax)
        }
    }

    @Test func `a business gets its VAT on top and nothing withheld`() {
        let parts = SettlementRules.parts(of: 1_000_009, to: .business, rates: Self.rates)
        #expect(parts == PaymentParts(gross: 1_000_009, vat: 100_000))
        #expect(parts.paid == 1_100_009)
    }

    @Test func `months are Korean, and follow each other`() {
        #expect(KoreanMonth(containing: seoul("2026-01-01 00:00")).text == "2026-01")
        let before = Timestamp(microseconds: seoul("2026-01-01 00:00").microseconds - 1)
        #expect(KoreanMonth(containing: before).text == "2025-12")
        var each = month("2023-11")
        for text in ["2023-12", "2024-01", "2024-02", "2024-03"] {
            #expect(each.next.text == text && each.next.previous == each)
            each = each.next
        }
        #expect(month("2024-02").days.count == 29)
        for text in ["2024-13", "2024-00", "2024-1", "202401", "2024-01-01", "", "20a4-01"] {
            #expect(KoreanMonth(text: text) == nil, "\(text)")
        }
    }

    @Test func `business numbers have a check digit`() {
        #expect(Payee.isBusinessNumber("1208147521"))
        #expect(Payee.isBusinessNumber("2208162517"))
        for text in ["1208147522", "120814752", "12081475210", "120-81-475", "", "abcdefghij"] {
            #expect(!Payee.isBusinessNumber(text), "\(text)")
        }
    }
}
