//! What makes an exported and a computed table differ.

use crate::routing::Comparison;
use crate::routing::testing::rows;

const OWN: &str = "Default Active 10.1.0.0/16 VnetLocal";

#[test]
fn a_row_of_one_side_alone_is_a_difference() {
    let more = format!("{OWN}\nUser Active 10.9.0.0/16 VirtualNetworkGateway");
    for (exported, computed, want) in
        [(OWN, OWN, true), (&more, OWN, false), (OWN, &more, false), (&more, &more, true)]
    {
        assert_eq!(Comparison::of(&rows(exported), &rows(computed), false).is_equal(), want);
    }
}

#[test]
fn a_gateways_row_inside_the_vnet_is_unverified_however_it_is_shown() {
    let both =
        format!("{OWN}\nVirtualNetworkGateway Active 10.1.5.0/24 VirtualNetworkGateway 10.1.0.4");
    let comparison = Comparison::of(&rows(OWN), &rows(&both), false);
    assert!(comparison.is_equal());
    assert_eq!(comparison.unverified.len(), 1);
}
