-- The edge's rules since the bot table's third version: an app that names Google's shop in its
-- agent is a person's, and more words of machines are known.
--
-- A build knows its own rule set by number. So sets that operators add begin at 1000 from here on,
-- and no build's number is ever taken when it comes.
insert into rule_sets
    (version, name, window_seconds, flood_clicks_per_minute, bot_table, datacenters, note)
values (3, 'standard-3', 300, 60, 3, '2026-11-21', 'As the edge judges by itself.');
