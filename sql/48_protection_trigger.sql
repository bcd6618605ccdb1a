-- Part: replaceable
CREATE TRIGGER replace_shipped_row BEFORE INSERT ON @extschema@.signal_protections
    FOR EACH ROW WHEN (NEW.shipped) EXECUTE FUNCTION @extschema@.signal_hub_replace_shipped_row('protection');
COMMENT ON TRIGGER replace_shipped_row ON @extschema@.signal_protections IS
    'lets a restored dump replace the row that CREATE EXTENSION ships';
